use std::sync::Arc;

use parking_lot::Mutex;

use super::LogLevels;

/// Levels, and the directives that were applied last.
fn levels(base: &str) -> (LogLevels, Arc<Mutex<String>>) {
    let applied = Arc::new(Mutex::new(String::new()));
    let seen = Arc::clone(&applied);
    let apply = move |directives: &str| {
        *seen.lock() = directives.to_owned();
        Ok(())
    };
    (LogLevels::new(base, apply), applied)
}

fn level(levels: &LogLevels, logger: &str) -> &'static str {
    levels.all().into_iter().find(|(name, _)| *name == logger).expect("a logger").1
}

#[test]
fn loggers_inherit_from_the_root_unless_they_have_a_level() {
    let (levels, applied) = levels("info,openraft=error,sled=warn");
    let (partitions, raft) =
        ("kafka.server.ReplicaManager", "org.apache.kafka.raft.KafkaRaftClient");
    assert_eq!(level(&levels, "root"), "INFO");
    assert_eq!(level(&levels, partitions), "INFO");
    assert_eq!(level(&levels, raft), "ERROR");

    levels.alter([("root", Some("WARN")), (partitions, Some("DEBUG"))].into_iter(), false).unwrap();
    assert_eq!(*applied.lock(), "info,openraft=error,sled=warn,ottla_broker::partition=debug,warn");
    assert_eq!(level(&levels, "kafka.server.KafkaApis"), "WARN");
    assert_eq!(level(&levels, partitions), "DEBUG");
    assert_eq!(level(&levels, raft), "ERROR");

    levels.alter([(partitions, None)].into_iter(), false).unwrap();
    assert_eq!(level(&levels, partitions), "WARN");
    assert!(levels.all().is_sorted());
}

#[test]
fn refusals_are_kafkas_and_change_nothing() {
    let (levels, applied) = levels("info");
    let sentence = |logger: &str, level: Option<&str>| {
        let alters = [("kafka.log.LogManager", Some("TRACE")), (logger, level)];
        levels.alter(alters.into_iter(), false).expect_err("refused").to_string()
    };
    assert_eq!(sentence("no.such.logger", Some("DEBUG")), "Logger no.such.logger does not exist!");
    assert_eq!(
        sentence("kafka.server.ReplicaManager", Some("LOUD")),
        "Cannot set the log level of kafka.server.ReplicaManager to LOUD as it is not a supported log level. Valid log levels are DEBUG, ERROR, FATAL, INFO, TRACE, WARN"
    );
    assert_eq!(sentence("root", None), "Removing the log level of the root logger is not allowed");
    levels.alter([("root", Some("TRACE"))].into_iter(), true).unwrap();
    assert_eq!(*applied.lock(), "");
    assert_eq!(level(&levels, "kafka.log.LogManager"), "INFO");
}
