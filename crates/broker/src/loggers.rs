//! The levels of this process's loggers (Kafka's BROKER_LOGGER resource): shown and changed while it
//! runs, forgotten when it stops.
//!
//! Loggers have the names by which Kafka's runbooks call what answers to them here.

use std::collections::BTreeMap;

use parking_lot::Mutex;

/// The logger that all others inherit from.
pub(crate) const ROOT: &str = "root";
/// Loggers by name, each with the module whose events it is about, sorted by name.
const LOGGERS: &[(&str, &str)] = &[
    ("kafka.log.LogManager", "ottla_log"),
    ("kafka.network.SocketServer", "ottla_broker::net"),
    ("kafka.server.BrokerLifecycleManager", "ottla_broker::controller_link"),
    ("kafka.server.KafkaApis", "ottla_broker::api"),
    ("kafka.server.ReplicaManager", "ottla_broker::partition"),
    ("org.apache.kafka.controller.QuorumController", "ottla_metadata_controller"),
    ("org.apache.kafka.coordinator.group.GroupCoordinatorService", "ottla_broker::coordinator"),
    ("org.apache.kafka.raft.KafkaRaftClient", "openraft"),
    (ROOT, ""),
];
/// Kafka's levels, and what they are called here. Nothing is logged as fatal.
const LEVELS: &[(&str, &str)] = &[
    ("DEBUG", "debug"),
    ("ERROR", "error"),
    ("FATAL", "off"),
    ("INFO", "info"),
    ("TRACE", "trace"),
    ("WARN", "warn"),
];

/// Makes a filter out of directives (`info,ottla_log=debug`); says why not.
type Apply = Box<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// The levels in force. What formats and writes events is the process's; it is told by a function.
pub struct LogLevels {
    /// The directives that the process started with.
    base: String,
    /// Levels set since, by logger.
    set: Mutex<BTreeMap<&'static str, &'static str>>,
    apply: Apply,
}

/// Why a level cannot be set, in Kafka's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LevelError {
    #[error("Logger {0} does not exist!")]
    UnknownLogger(String),
    #[error(
        "Cannot set the log level of {logger} to {level} as it is not a supported log level. Valid log levels are {}",
        names()
    )]
    UnknownLevel { logger: String, level: String },
    #[error("Removing the log level of the root logger is not allowed")]
    RootRemoved,
    #[error("the filter of log lines cannot be changed: {0}")]
    Filter(String),
}

/// The names of Kafka's levels.
fn names() -> String {
    LEVELS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

impl LogLevels {
    /// `base` are the directives that hold now; `apply` is called with others when levels change.
    pub fn new(
        base: &str,
        apply: impl Fn(&str) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        Self { base: base.to_owned(), set: Mutex::default(), apply: Box::new(apply) }
    }

    /// Every logger with its level, sorted by name.
    pub(crate) fn all(&self) -> Vec<(&'static str, &'static str)> {
        let set = self.set.lock();
        let level = |logger: &'static str, module: &str| {
            let inherited = || match self.based(module) {
                Some(level) if !module.is_empty() => level,
                _ => set.get(ROOT).copied().or_else(|| self.based("")).unwrap_or("ERROR"),
            };
            set.get(logger).copied().unwrap_or_else(inherited)
        };
        LOGGERS.iter().map(|(logger, module)| (*logger, level(logger, module))).collect()
    }

    /// The level that the first directives give a module by name, or everything for an empty name.
    fn based(&self, module: &str) -> Option<&'static str> {
        let directives = self
            .base
            .split(',')
            .map(|directive| directive.trim().split_once('=').unwrap_or(("", directive.trim())));
        let named = directives.filter(|(target, _)| match *target {
            "" => module.is_empty(),
            target => !module.is_empty() && module.starts_with(target),
        });
        let (_, level) = named.max_by_key(|(target, _)| target.len())?;
        LEVELS.iter().find(|(_, ours)| ours.eq_ignore_ascii_case(level)).map(|(name, _)| *name)
    }

    /// Sets levels (`None`: back to what is inherited), all or none; with `validate_only` none.
    pub(crate) fn alter<'a>(
        &self,
        alters: impl Iterator<Item = (&'a str, Option<&'a str>)>,
        validate_only: bool,
    ) -> Result<(), LevelError> {
        let mut set = self.set.lock();
        let mut new = set.clone();
        for (name, level) in alters {
            let logger = LOGGERS.iter().find(|(logger, _)| *logger == name);
            let (logger, _) = logger.ok_or_else(|| LevelError::UnknownLogger(name.to_owned()))?;
            let Some(level) = level else {
                if *logger == ROOT {
                    return Err(LevelError::RootRemoved);
                }
                new.remove(logger);
                continue;
            };
            let known = LEVELS.iter().find(|(known, _)| *known == level);
            let (level, _) = known.ok_or_else(|| LevelError::UnknownLevel {
                logger: name.to_owned(),
                level: level.to_owned(),
            })?;
            new.insert(logger, level);
        }
        if validate_only || new == *set {
            return Ok(());
        }
        (self.apply)(&self.directives(&new)).map_err(LevelError::Filter)?;
        *set = new;
        Ok(())
    }

    /// The first directives with the levels that were set behind them: the last word counts.
    fn directives(&self, set: &BTreeMap<&'static str, &'static str>) -> String {
        let mut text = self.base.clone();
        for (logger, module) in LOGGERS {
            let Some(level) = set.get(logger) else { continue };
            let ours = LEVELS.iter().find(|(name, _)| name == level).map_or("info", |(_, it)| it);
            let directive =
                if module.is_empty() { ours.to_owned() } else { format!("{module}={ours}") };
            text = format!("{text},{directive}");
        }
        text
    }
}

#[cfg(test)]
mod tests;
