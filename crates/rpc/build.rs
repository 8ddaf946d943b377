//! Generates the gRPC code from `proto/`, without protoc.

use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let proto = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    for file in ["controller.proto", "quorum.proto", "replication.proto", "records.proto"] {
        println!("cargo::rerun-if-changed={}", proto.join(file).display());
    }
    // First those that name messages of `quorum.proto`, then `quorum.proto` itself.
    let controller = protox::compile(["controller.proto", "replication.proto"], [&proto])?;
    generator().extern_path(".ottla.quorum.v1", "crate::quorum").compile_fds(controller)?;
    generator().compile_fds(protox::compile(["quorum.proto"], [&proto])?)?;
    Ok(())
}

fn generator() -> tonic_prost_build::Builder {
    tonic_prost_build::configure()
        .bytes(".")
        .extern_path(".ottla.records.v1", "::ottla_metadata::proto")
}
