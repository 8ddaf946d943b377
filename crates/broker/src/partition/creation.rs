//! Replicas that are created: from what was loaded at start, else anew, in the log directory that was chosen
//! or has the fewest.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ottla_config::TopicConfig;
use ottla_log::{Log, LogError, NewLog};
use ottla_metadata::Image;
use ottla_protocol::ids::{TopicName, TopicPartition};
use ottla_replication::Replica;

use super::load;
use super::reconcile::{Wanted, log_config};
use super::registry::Partitions;
use super::replica::Partition;

impl Partitions {
    /// Creates what is wanted and not there: from what was loaded at start, else anew, in bulk.
    pub(super) fn create(&self, image: &Image, wanted: &[Wanted]) {
        let missing: Vec<&Wanted> =
            wanted.iter().filter(|wanted| self.get(wanted.id).is_none()).collect();
        let mut settings = HashMap::new();
        let mut logs: Vec<(&Wanted, Log)> = Vec::new();
        let mut new: BTreeMap<usize, Vec<&Wanted>> = BTreeMap::new();
        let mut load = self.logs_per_dir();
        for wanted in missing {
            settings
                .entry(Arc::clone(&wanted.topic))
                .or_insert_with(|| self.topic_config(image, &wanted.topic));
            let loaded = self.disks.unclaimed.lock().remove(&wanted.id);
            let name = TopicPartition::new(Arc::clone(&wanted.topic), wanted.id.partition);
            if self.disks.unreadable.contains(&name) {
                // Another directory may hold an older log of it, which a move has left.
                tracing::error!(partition = %name, "offline: its log could not be loaded");
                continue;
            }
            if let Some(log) = loaded {
                logs.push((wanted, log));
                continue;
            }
            // The directory that was chosen, else the one with the fewest partitions.
            let chosen = self.disks.choices.take(wanted.id).filter(|dir| load.contains_key(dir));
            let fewest = load.iter().min_by_key(|(_, count)| **count).map(|(dir, _)| *dir);
            if let Some(dir) = chosen.or(fewest) {
                *load.entry(dir).or_default() += 1;
                new.entry(dir).or_default().push(wanted);
            }
        }
        for (dir, wanted) in new {
            logs.extend(self.create_in_any(dir, wanted, &settings));
        }
        let mut created = Vec::new();
        for (wanted, log) in logs {
            let Some(settings) = settings.get(&wanted.topic) else { continue };
            match self.open_replica(wanted, settings.clone(), log) {
                Ok(partition) => created.push((wanted.id, partition)),
                Err(error) => {
                    tracing::error!(topic = %wanted.topic, partition = wanted.id.partition, %error,
                        "offline: its producers cannot be read");
                }
            }
        }
        self.shared.partitions.write().extend(created);
    }

    fn logs_per_dir(&self) -> BTreeMap<usize, usize> {
        let mut load: BTreeMap<usize, usize> = self
            .disks
            .dirs
            .iter()
            .enumerate()
            .filter(|(_, dir)| dir.failure().is_none())
            .map(|(place, _)| (place, 0))
            .collect();
        if load.len() > 1 {
            for partition in self.all() {
                let dir = partition
                    .look(|state| state.log.as_ref().map(|log| log.dir().path().to_owned()));
                let place = self.disks.dirs.iter().position(|it| Some(it.path()) == dir.as_deref());
                if let Some(count) = place.and_then(|place| load.get_mut(&place)) {
                    *count += 1;
                }
            }
        }
        load
    }

    /// Creates logs in a directory, or, should it fail, in the next one that does not.
    fn create_in_any<'a>(
        &self,
        dir: usize,
        wanted: Vec<&'a Wanted>,
        settings: &HashMap<TopicName, TopicConfig>,
    ) -> Vec<(&'a Wanted, Log)> {
        let others = (0..self.disks.dirs.len()).filter(|other| *other != dir);
        for dir in std::iter::once(dir).chain(others) {
            match self.create_logs(dir, &wanted, settings) {
                Ok(created) => return wanted.into_iter().zip(created).collect(),
                Err(error) => {
                    tracing::error!(%error, partitions = wanted.len(), "cannot create partitions");
                    self.shared.note_failure(&error);
                }
            }
        }
        Vec::new()
    }

    fn create_logs(
        &self,
        dir: usize,
        wanted: &[&Wanted],
        settings: &HashMap<TopicName, TopicConfig>,
    ) -> Result<Vec<Log>, LogError> {
        let Some(dir) = self.disks.dirs.get(dir) else { return Ok(Vec::new()) };
        let new = |wanted: &&Wanted| NewLog {
            topic_partition: TopicPartition::new(Arc::clone(&wanted.topic), wanted.id.partition),
            topic_id: wanted.id.topic_id,
            config: settings.get(&wanted.topic).map(log_config).unwrap_or_default(),
        };
        dir.create_many(wanted.iter().map(new).collect())
    }

    fn open_replica(
        &self,
        wanted: &Wanted,
        settings: TopicConfig,
        mut log: Log,
    ) -> Result<Arc<Partition>, LogError> {
        log.set_config(log_config(&settings));
        let producers = load::producers(&mut log)?;
        let rules = self.rules(&settings, wanted.metadata.replication_factor());
        let replica = Replica::new(self.shared.me, load::offsets(&log), producers, rules);
        let topic = Arc::clone(&wanted.topic);
        Ok(Partition::new(wanted.id, topic, Arc::clone(&self.shared), settings, replica, log))
    }
}
