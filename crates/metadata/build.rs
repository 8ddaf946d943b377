//! Generates the record messages from `proto/records.proto`, without protoc.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let proto = "../../proto/records.proto";
    println!("cargo::rerun-if-changed={proto}");
    let descriptors = protox::compile([proto], ["../../proto"])?;
    prost_build::Config::new().bytes(["."]).compile_fds(descriptors)?;
    Ok(())
}
