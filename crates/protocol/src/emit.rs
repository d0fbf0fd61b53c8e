//! Prints the JSON Schema of the protocol.

use ambit_protocol::{
    CheckReport, CheckRequest, CoarsensRequest, ComparisonReport, EngineCatalog, FrameKind, Health, ImpliesRequest,
    InspectReport, InspectRequest, OpenSession, Outcome, Planned, ProtocolError, SessionTemplate, WorkerConfig,
    WorkerReady,
};
use schemars::{SchemaGenerator, generate::SchemaSettings};

fn main() {
    let mut generator = SchemaGenerator::new(SchemaSettings::draft07());
    generator.subschema_for::<CheckReport>();
    generator.subschema_for::<CheckRequest>();
    generator.subschema_for::<CoarsensRequest>();
    generator.subschema_for::<ComparisonReport>();
    generator.subschema_for::<EngineCatalog>();
    generator.subschema_for::<FrameKind>();
    generator.subschema_for::<Health>();
    generator.subschema_for::<ImpliesRequest>();
    generator.subschema_for::<InspectReport>();
    generator.subschema_for::<InspectRequest>();
    generator.subschema_for::<OpenSession>();
    generator.subschema_for::<Outcome>();
    generator.subschema_for::<Planned>();
    generator.subschema_for::<ProtocolError>();
    generator.subschema_for::<SessionTemplate>();
    generator.subschema_for::<WorkerConfig>();
    generator.subschema_for::<WorkerReady>();
    let mut definitions = serde_json::Value::Object(generator.take_definitions(true));
    require_every_key(&mut definitions);
    let schema = serde_json::json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": "urn:ambit:schema:engine-protocol",
        "title": "EngineProtocol",
        "definitions": definitions,
    });
    println!("{schema:#}");
}

/// Optional means null here, never absent.
fn require_every_key(schema: &mut serde_json::Value) {
    match schema {
        serde_json::Value::Object(object) => {
            if let Some(serde_json::Value::Object(properties)) = object.get("properties") {
                let keys: Vec<serde_json::Value> = properties.keys().map(|key| key.as_str().into()).collect();
                object.insert("required".into(), keys.into());
            }
            object.values_mut().for_each(require_every_key);
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(require_every_key),
        _ => {}
    }
}
