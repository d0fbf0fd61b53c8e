//! Prints the JSON Schema of the protocol.

use ambit_protocol::{
    CheckReport, CheckRequest, EngineCatalog, FrameKind, Health, OpenSession, Outcome, Planned, ProtocolError,
    SessionTemplate, WorkerConfig, WorkerReady,
};
use schemars::{SchemaGenerator, generate::SchemaSettings};

fn main() {
    let mut generator = SchemaGenerator::new(SchemaSettings::draft07());
    generator.subschema_for::<CheckReport>();
    generator.subschema_for::<CheckRequest>();
    generator.subschema_for::<EngineCatalog>();
    generator.subschema_for::<FrameKind>();
    generator.subschema_for::<Health>();
    generator.subschema_for::<OpenSession>();
    generator.subschema_for::<Outcome>();
    generator.subschema_for::<Planned>();
    generator.subschema_for::<ProtocolError>();
    generator.subschema_for::<SessionTemplate>();
    generator.subschema_for::<WorkerConfig>();
    generator.subschema_for::<WorkerReady>();
    let schema = serde_json::json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": "urn:ambit:schema:engine-protocol",
        "title": "EngineProtocol",
        "definitions": generator.take_definitions(true),
    });
    println!("{schema:#}");
}
