//! `kafka-console-consumer`: records become lines of stdout.
//!
//! Reads by assignment: the partition that was named, or every partition of the topics that were, new
//! ones included. The exit code is 0 when a limit of messages or of time ends it, 130 after Ctrl-C.

mod formatter;
mod options;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use ottla_client::{Client, ClientError, Consumer, Fetched, StartAt};
use ottla_protocol::ErrorCode;
use ottla_protocol::ids::{TopicName, TopicPartition};

use crate::console::{self, complain, say};
use crate::exceptions::Failure;
use crate::kafka_topics::is_internal;
use crate::session;
use formatter::Formatter;
use options::{Misuse, Settings, Topics};

const CLASS: &str = "org.apache.kafka.tools.consumer.ConsoleConsumer";
/// The exit code after Ctrl-C.
const INTERRUPTED: u8 = 130;
/// How long to wait for records before metadata is looked at again.
const POLL: Duration = Duration::from_millis(500);

/// Runs the tool with the arguments behind its name.
pub fn main(args: Vec<OsString>) -> ExitCode {
    match options::settings(&args) {
        Ok(settings) => session::run(run(settings)),
        Err(Misuse::Usage(message)) => console::usage_error(&message, options::OPTIONS),
        Err(Misuse::Said(message)) => {
            complain(&message);
            ExitCode::FAILURE
        }
        Err(Misuse::Version) => console::version(),
        Err(Misuse::Failed(failure)) => unknown_error(&failure),
    }
}

/// An error that ends the tool with exit code 1.
fn unknown_error(failure: &Failure) -> ExitCode {
    console::log("ERROR", "Unknown error when running consumer: ", CLASS);
    complain(&failure.thrown());
    ExitCode::FAILURE
}

/// Why reading has ended.
enum End {
    /// As many messages as were wanted.
    Enough,
    /// Nothing came for `--timeout-ms`.
    Timeout,
    /// Nobody reads stdout any more.
    OutputClosed,
    Interrupted,
    /// The cluster refuses; Kafka's tool counts this as a normal end.
    Refused(Failure),
    /// A record that cannot be shown.
    Failed(Failure),
}

async fn run(settings: Settings) -> ExitCode {
    let client = match Client::new(&settings.bootstrap, settings.client.clone()) {
        Ok(client) => client,
        Err(error) => {
            console::log("ERROR", "Unknown error when running consumer: ", CLASS);
            complain("org.apache.kafka.common.KafkaException: Failed to construct kafka consumer");
            complain(&format!(
                "Caused by: org.apache.kafka.common.config.ConfigException: {error}"
            ));
            return ExitCode::FAILURE;
        }
    };
    if let Some(group) = &settings.group {
        console::log("WARN", &no_groups(group), CLASS);
    }
    let mut reader = Reader::new(client, &settings);
    let end = tokio::select! {
        end = reader.read() => end,
        _ = tokio::signal::ctrl_c() => End::Interrupted,
    };
    let total = reader.count;
    if settings.systest_events {
        say("shutdown_complete");
    }
    let ended = |thrown: &str| {
        console::log("ERROR", "Error processing message, terminating consumer process: ", CLASS);
        complain(thrown);
    };
    match &end {
        End::Timeout => ended("org.apache.kafka.common.errors.TimeoutException"),
        End::Refused(failure) => ended(&failure.thrown()),
        End::OutputClosed => complain("Unable to write to standard out, closing consumer."),
        End::Enough | End::Interrupted | End::Failed(_) => {}
    }
    complain(&format!("Processed a total of {total} messages"));
    match end {
        End::Interrupted => ExitCode::from(INTERRUPTED),
        End::Failed(failure) => unknown_error(&failure),
        End::Enough | End::Timeout | End::OutputClosed | End::Refused(_) => ExitCode::SUCCESS,
    }
}

fn no_groups(group: &str) -> String {
    format!(
        "Consumer groups are not supported yet: group '{group}' is not joined, all partitions are \
         read and no offsets are committed"
    )
}

struct Reader<'a> {
    settings: &'a Settings,
    client: Client,
    consumer: Consumer,
    formatter: Formatter,
    /// How many partitions of each topic are assigned.
    assigned: BTreeMap<TopicName, usize>,
    /// Whether the topics were seen once: what appears later is read from its beginning.
    settled: bool,
    warned: bool,
    started: Instant,
    count: u64,
}

impl<'a> Reader<'a> {
    fn new(client: Client, settings: &'a Settings) -> Self {
        match &settings.topics {
            Topics::One(topic, partition) => {
                client.follow_topic(topic, partition.is_none() && settings.auto_create);
            }
            Topics::Matching(_) => client.follow_all_topics(),
        }
        client.want_metadata();
        let mut consumer = Consumer::new(client.clone(), settings.consumer.clone());
        if let Topics::One(topic, Some(partition)) = &settings.topics {
            consumer
                .assign(TopicPartition::new(TopicName::clone(topic), *partition), settings.start);
        }
        Self {
            formatter: settings.formatter.clone(),
            settings,
            client,
            consumer,
            assigned: BTreeMap::new(),
            settled: false,
            warned: false,
            started: Instant::now(),
            count: 0,
        }
    }

    async fn read(&mut self) -> End {
        let wanted = |count| self.settings.max_messages.is_none_or(|most| count < most);
        let mut changes = self.client.metadata_changes();
        let mut idle_since = Instant::now();
        if !wanted(0) {
            return End::Enough;
        }
        loop {
            if let Err(end) = self.follow_topics() {
                return end;
            }
            let limit = match self.settings.timeout {
                Some(timeout) => timeout.saturating_sub(idle_since.elapsed()).min(POLL),
                None => POLL,
            };
            let polled = tokio::select! {
                polled = self.consumer.poll(limit) => polled,
                _ = changes.changed() => Ok(Vec::new()),
            };
            match polled {
                Ok(fetched) if fetched.is_empty() => {
                    let timeout = self.settings.timeout;
                    if timeout.is_some_and(|timeout| idle_since.elapsed() >= timeout) {
                        return End::Timeout;
                    }
                    self.warn_while_unreachable();
                }
                Ok(fetched) => {
                    if let Err(end) = self.print(&fetched) {
                        return end;
                    }
                    idle_since = Instant::now();
                }
                Err(error) => return End::Refused(self.explain(&error)),
            }
        }
    }

    fn warn_while_unreachable(&mut self) {
        if !self.warned
            && self.client.metadata().nodes.is_empty()
            && self.started.elapsed() > Duration::from_secs(1)
        {
            self.warned = true;
            session::warn_unreachable(
                &self.settings.bootstrap,
                "Consumer clientId=console-consumer",
            );
        }
    }

    /// Assigns the partitions that have appeared.
    fn follow_topics(&mut self) -> Result<(), End> {
        let metadata = self.client.metadata();
        if metadata.nodes.is_empty() {
            return Ok(());
        }
        let topics: Vec<_> = match &self.settings.topics {
            Topics::One(_, Some(_)) => return Ok(()),
            Topics::One(topic, None) => match metadata.topic(topic) {
                Some(Ok(info)) => vec![info.clone()],
                Some(Err(error)) if error.error_code() == ErrorCode::InvalidTopicException => {
                    return Err(End::Refused(invalid_topic(topic)));
                }
                Some(Err(error)) if !error.is_retriable() => {
                    return Err(End::Refused(error.into()));
                }
                Some(Err(_)) => {
                    self.settled = true;
                    return Ok(());
                }
                None => return Ok(()),
            },
            Topics::Matching(pattern) => metadata
                .topics()
                .filter(|topic| pattern.allows(&topic.name) && !is_internal(&topic.name))
                .cloned()
                .collect(),
        };
        let start = if self.settled { StartAt::Earliest } else { self.settings.start };
        for topic in topics {
            let known = self.assigned.entry(TopicName::clone(&topic.name)).or_default();
            for partition in topic.partitions.iter().skip(*known) {
                let place = TopicPartition::new(TopicName::clone(&topic.name), partition.partition);
                self.consumer.assign(place, start);
            }
            *known = topic.partitions.len().max(*known);
        }
        self.settled = true;
        Ok(())
    }

    fn print(&mut self, fetched: &[Fetched]) -> Result<(), End> {
        let mut text = Vec::new();
        let mut end = None;
        'records: for fetched in fetched {
            for record in &fetched.records {
                if self.settings.max_messages.is_some_and(|most| self.count >= most) {
                    break 'records;
                }
                // A record that cannot be shown has been processed all the same.
                self.count += 1;
                match self.formatter.write(&mut text, &fetched.partition, record) {
                    Ok(()) => {}
                    Err(failure) if self.settings.skip_on_error => {
                        let message = "Error processing message, skipping this message: ";
                        console::log("ERROR", message, CLASS);
                        complain(&failure.thrown());
                    }
                    Err(failure) => {
                        end = Some(End::Failed(failure));
                        break 'records;
                    }
                }
            }
        }
        let mut out = std::io::stdout().lock();
        if out.write_all(&text).and_then(|()| out.flush()).is_err() {
            return Err(End::OutputClosed);
        }
        let enough = self.settings.max_messages.is_some_and(|most| self.count >= most);
        match end {
            Some(end) => Err(end),
            None if enough => Err(End::Enough),
            None => Ok(()),
        }
    }

    fn explain(&self, error: &ClientError) -> Failure {
        match (error, &self.settings.topics) {
            (ClientError::Api(error), Topics::One(topic, _))
                if error.error_code() == ErrorCode::InvalidTopicException =>
            {
                invalid_topic(topic)
            }
            _ => Failure::of_client(error, "fetch"),
        }
    }
}

fn invalid_topic(topic: &str) -> Failure {
    Failure::new(
        "org.apache.kafka.common.errors.InvalidTopicException",
        format!("Invalid topics: [{topic}]"),
    )
}

#[cfg(test)]
mod tests;
