//! The clients that strangers wrote.

use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use crate::root;

/// Where `scripts/foreign-clients` puts them; it is run here, and does nothing the second time.
fn installed() -> &'static PathBuf {
    static INSTALLED: LazyLock<PathBuf> = LazyLock::new(|| {
        let status = Command::new(root().join("scripts/foreign-clients"))
            .status()
            .expect("scripts/foreign-clients runs");
        assert!(status.success(), "scripts/foreign-clients could not install the foreign clients");
        root().join("target/foreign")
    });
    &INSTALLED
}

/// A script of `tests/python`, with kafka-python, confluent-kafka and aiokafka at hand.
#[must_use]
pub fn python(script: &str) -> Command {
    let mut command = Command::new(installed().join("venv/bin/python"));
    command.arg("-u").arg(root().join("tests/python").join(script));
    command
}

/// A script of `tests/node`, with kafkajs at hand.
#[must_use]
pub fn node(script: &str) -> Command {
    let mut command = Command::new("node");
    command.arg(root().join("tests/node").join(script));
    command.env("OTTLA_NODE_MODULES", installed().join("node/node_modules/"));
    command
}

/// kcat.
#[must_use]
pub fn kcat() -> Command {
    let _ = installed();
    Command::new("kcat")
}

/// A class of Apache Kafka's own tools, such as `org.apache.kafka.tools.TopicCommand`.
#[must_use]
pub fn java(class: &str) -> Command {
    let mut command = Command::new("java");
    command
        .args(["-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp"])
        .arg(installed().join("jars/*"))
        .arg(class);
    command
}
