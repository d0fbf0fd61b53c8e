//! What the engine is: the facts that contracts are checked against.

use ambit_protocol::EngineCatalog;

use crate::{functions, settings};

/// Every setting and function of this engine. The same on every machine.
pub(crate) fn catalog() -> EngineCatalog {
    EngineCatalog {
        engine_version: datafusion::DATAFUSION_VERSION.to_string(),
        settings: settings::entries(),
        functions: functions::entries(),
    }
}
