//! Generates the gRPC code from `proto/`, without protoc.

use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let proto = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    let files = ["controller.proto", "quorum.proto", "replication.proto"];
    for file in files.iter().chain(&["records.proto"]) {
        println!("cargo::rerun-if-changed={}", proto.join(file).display());
    }
    let descriptors = protox::compile(files, [&proto])?;
    tonic_prost_build::configure()
        .bytes(".")
        .extern_path(".ottla.records.v1", "::ottla_metadata::proto")
        .compile_fds(descriptors)?;
    Ok(())
}
