//! Where the records come from, and how they get to stdout.

use std::collections::BTreeSet;
use std::io::Write;
use std::time::{Duration, Instant};

use ottla_client::{Client, ClientError, Consumer, Fetched, GroupConsumer};
use ottla_protocol::ErrorCode;
use ottla_protocol::ids::{TopicName, TopicPartition};

use super::options::{Settings, Topics};
use super::{CLASS, End};
use crate::console::{self, complain};
use crate::exceptions::Failure;
use crate::session;

/// How long to wait for records before metadata is looked at again.
const POLL: Duration = Duration::from_millis(500);

/// What is polled.
enum Source {
    /// One partition.
    Partition(Consumer),
    /// What a group gives.
    Group(GroupConsumer),
}

impl Source {
    fn new(client: &Client, settings: &Settings) -> Self {
        let options = settings.consumer.clone();
        let Some(group) = settings.group.clone() else {
            let mut consumer = Consumer::new(client.clone(), options);
            if let Topics::One(topic, Some(partition)) = &settings.topics {
                let place = TopicPartition::new(TopicName::clone(topic), *partition);
                consumer.assign(place, settings.start);
            }
            return Self::Partition(consumer);
        };
        let topics = match &settings.topics {
            Topics::One(topic, _) => {
                ottla_client::Topics::Named(BTreeSet::from([TopicName::clone(topic)]))
            }
            Topics::Matching(pattern) => {
                let pattern = std::sync::Arc::clone(pattern);
                ottla_client::Topics::Matching(std::sync::Arc::new(move |topic: &str| {
                    pattern.allows(topic)
                }))
            }
        };
        Self::Group(GroupConsumer::subscribe(client.clone(), topics, options, group))
    }

    async fn poll(&mut self, limit: Duration) -> Result<Vec<Fetched>, ClientError> {
        match self {
            Self::Partition(consumer) => consumer.poll(limit).await,
            Self::Group(consumer) => consumer.poll(limit).await,
        }
    }
}

pub(super) struct Reader<'a> {
    settings: &'a Settings,
    client: Client,
    source: Source,
    warned: bool,
    started: Instant,
    count: u64,
}

impl<'a> Reader<'a> {
    pub(super) fn new(client: Client, settings: &'a Settings) -> Self {
        Self {
            source: Source::new(&client, settings),
            settings,
            client,
            warned: false,
            started: Instant::now(),
            count: 0,
        }
    }

    /// How many records were processed.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Commits what was processed, and leaves the group.
    pub(super) async fn close(self) {
        if let Source::Group(consumer) = self.source
            && let Err(error) = consumer.close().await
        {
            let message = format!("Offsets could not be committed at the end: {error}");
            console::log("WARN", &message, CLASS);
        }
    }

    pub(super) async fn read(&mut self) -> End {
        if self.settings.max_messages == Some(0) {
            return End::Enough;
        }
        let mut changes = self.client.metadata_changes();
        let mut idle_since = Instant::now();
        loop {
            if let Some(refused) = self.refused_topic() {
                return End::Refused(refused);
            }
            let limit = match self.settings.timeout {
                Some(timeout) => timeout.saturating_sub(idle_since.elapsed()).min(POLL),
                None => POLL,
            };
            let polled = tokio::select! {
                polled = self.source.poll(limit) => polled,
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

    /// As which it logs.
    fn who(&self) -> String {
        let group = self.settings.group.as_ref().map_or("null", |group| &group.group_id);
        format!("Consumer clientId=console-consumer, groupId={group}")
    }

    fn warn_while_unreachable(&mut self) {
        if !self.warned
            && self.client.metadata().nodes.is_empty()
            && self.started.elapsed() > Duration::from_secs(1)
        {
            self.warned = true;
            session::warn_unreachable(&self.settings.bootstrap, &self.who());
        }
    }

    /// What the cluster has against the topic, if that will last.
    fn refused_topic(&self) -> Option<Failure> {
        let Topics::One(topic, None) = &self.settings.topics else { return None };
        match self.client.metadata().topic(topic) {
            Some(Err(error)) if error.error_code() == ErrorCode::InvalidTopicException => {
                let who = self.who();
                let message =
                    format!("[{who}] Metadata response reported invalid topics [{topic}]");
                console::log("ERROR", &message, "org.apache.kafka.clients.Metadata");
                Some(invalid_topic(topic))
            }
            Some(Err(error)) if !error.is_retriable() => Some(error.into()),
            _ => None,
        }
    }

    fn print(&mut self, fetched: &[Fetched]) -> Result<(), End> {
        let mut text = Vec::new();
        let mut end = None;
        for fetched in fetched {
            for record in &fetched.records {
                if end.is_some() || self.has_enough() {
                    self.leave_unread(&fetched.partition, record.offset);
                    break;
                }
                // A record that cannot be shown has been processed all the same.
                self.count += 1;
                match self.settings.formatter.write(&mut text, &fetched.partition, record) {
                    Ok(()) => {}
                    Err(failure) if self.settings.skip_on_error => {
                        let message = "Error processing message, skipping this message: ";
                        console::log("ERROR", message, CLASS);
                        complain(&failure.thrown());
                    }
                    Err(failure) => end = Some(End::Failed(failure)),
                }
            }
        }
        let mut out = std::io::stdout().lock();
        if out.write_all(&text).and_then(|()| out.flush()).is_err() {
            return Err(End::OutputClosed);
        }
        match end {
            Some(end) => Err(end),
            None if self.has_enough() => Err(End::Enough),
            None => Ok(()),
        }
    }

    fn has_enough(&self) -> bool {
        self.settings.max_messages.is_some_and(|most| self.count >= most)
    }

    /// The group goes on at this record another time.
    fn leave_unread(&mut self, partition: &TopicPartition, offset: i64) {
        if let Source::Group(consumer) = &mut self.source {
            consumer.seek(partition, offset);
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
