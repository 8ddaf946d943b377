//! From committed records to replicas: the feed, and what a broker makes of it.

use ottla_metadata::{Delta, Image, Partition, Record};
use ottla_protocol::ids::{BrokerId, MetadataOffset, PartitionIndex};
use ottla_replication::{Input, Member, PartitionState, Replica};

use crate::broker::Held;
use crate::disk::Disk;
use crate::event::{Event, Life};
use crate::invariants;
use crate::sabotage::Sabotage;
use crate::world::{CONTROLLER, World};

/// A broker that hears late, hears this much later at most.
const LATE_US: u64 = 250_000;

/// The replicas' brokers, from one image.
fn members(image: &Image, partition: &Partition) -> Vec<Member> {
    let member = |id: &BrokerId| {
        let broker = image.broker(*id);
        Member {
            broker_id: *id,
            broker_epoch: broker.map_or(-1, |broker| broker.epoch),
            eligible: broker.is_some_and(|broker| broker.is_active()),
        }
    };
    partition.replicas.iter().map(member).collect()
}

impl World {
    fn members(&self, image: &Image, partition: &Partition) -> Vec<Member> {
        let mut members = members(image, partition);
        if self.sabotage == Some(Sabotage::ForgetBrokerEpochs) {
            members.iter_mut().for_each(|member| member.broker_epoch = 0);
        }
        members
    }

    fn state_of(&self, image: &Image, partition: &Partition) -> PartitionState {
        PartitionState {
            leader: partition.leader,
            leader_epoch: partition.leader_epoch,
            partition_epoch: partition.partition_epoch,
            isr: partition.isr.clone(),
            replicas: self.members(image, partition),
        }
    }

    /// Commits records as one batch; 0: there were none.
    pub(crate) fn commit(&mut self, records: Vec<Record>) -> MetadataOffset {
        if records.is_empty() {
            return 0;
        }
        let gap = if self.dice.one_in(5) { self.dice.between(2, 4) } else { 1 };
        let old = self.quorum.image().clone();
        let delta = match self.quorum.commit(records, gap, self.now_ms()) {
            Ok(delta) => delta,
            Err(what) => {
                self.judge("I18", Err(what));
                return self.quorum.offset();
            }
        };
        self.note(|| format!("committed {:?} {:?}", delta.brokers, delta.partitions));
        self.judge("I15", invariants::i15_epochs_rise(&delta));
        self.judge("I16", invariants::i16_isr_is_sound(self.quorum.image()));
        self.judge(
            "I18",
            invariants::i18_delta_is_the_difference(&old, self.quorum.image(), &delta),
        );
        for partition in 0..self.swarm.partitions {
            self.check_leader(partition);
        }
        for id in self.ids() {
            if let Some(life) = self.life_of(id) {
                self.feed_soon(life);
            }
        }
        self.quorum.offset()
    }

    fn feed_soon(&mut self, life: Life) {
        let late = self.swarm.bad_feeds && !self.healing && self.dice.one_in(4);
        let delay = if late { self.dice.between(0, LATE_US) } else { self.delay() };
        self.after(delay, Event::Feed(life));
    }

    /// Something of the feed arrives: usually what is new, sometimes less, a snapshot, or what is known.
    pub(crate) fn feed(&mut self, life: Life) {
        let Some(process) = self.process(life) else { return };
        let offset = process.image.offset();
        if self.is_cut(CONTROLLER, life.broker) {
            self.after(30_000, Event::Feed(life));
            return;
        }
        if self.quorum.batches() == 0 {
            return;
        }
        let bad = self.swarm.bad_feeds && !self.healing;
        if offset == 0 || (bad && self.dice.one_in(10)) {
            self.take_snapshot(life);
        } else if bad && self.dice.one_in(10) {
            // Another controller begins where this one asked it to, or a little before.
            self.take_batches(life, offset.saturating_sub(5), 64);
        } else {
            let count = if bad { self.dice.between(1, 4) as usize } else { 64 };
            self.take_batches(life, offset, count);
        }
        self.apply(life);
        let behind = self.process(life).map_or(0, |process| process.image.offset());
        if behind < self.quorum.offset() {
            self.after(500, Event::Feed(life));
        }
    }

    /// A snapshot of any controller, which may lag behind; one that does is not taken.
    fn take_snapshot(&mut self, life: Life) {
        let place = self.dice.between(0, self.quorum.batches() as u64 - 1) as usize;
        let Some(source) = self.quorum.nth_image(place) else { return };
        let records: Vec<Record> = source.records().collect();
        let (image, ignored) = Image::from_records(source.offset(), &records);
        let whole = ignored.is_empty();
        let Some(process) = self.process_mut(life) else { return };
        if image.offset() > process.image.offset() {
            process.image = image;
        }
        self.judge("I18", if whole { Ok(()) } else { Err("a snapshot makes no sense".to_owned()) });
    }

    fn take_batches(&mut self, life: Life, from: MetadataOffset, count: usize) {
        let batches: Vec<_> = self
            .quorum
            .behind(from, count)
            .iter()
            .map(|(offset, batch, _)| (*offset, batch.clone()))
            .collect();
        let Some(process) = self.process_mut(life) else { return };
        for (offset, batch) in batches {
            if offset > process.image.offset() {
                process.image.replay_batch(offset, &batch);
            }
        }
    }

    /// What the feed's follower and the registry of partitions do with what has arrived.
    fn apply(&mut self, life: Life) {
        let Some(process) = self.process_mut(life) else { return };
        let id = life.broker;
        let registration = process
            .image
            .broker(id)
            .filter(|broker| broker.incarnation_id == process.incarnation)
            .map(|broker| broker.epoch);
        if process.applied_offset == 0 && registration.is_none() {
            return;
        }
        if let Some(epoch) = registration {
            process.broker_epoch = epoch;
        }
        if process.image.offset() == process.applied.offset() {
            return;
        }
        let delta = Delta::between(&process.applied, &process.image);
        process.applied = process.image.clone();
        process.applied_offset = process.image.offset();
        let image = process.image.clone();
        let current = image.broker(id).is_some_and(|broker| broker.epoch == process.broker_epoch);
        let begun = process.begun;
        process.begun |= current;
        self.judge(
            "I18",
            invariants::i18_images_are_equal(self.quorum.image_at(image.offset()), &image),
        );
        if begun {
            self.bring_up(life, &image, &delta);
        } else if current {
            self.bring_up_all(life, &image);
        }
        // News of the registration are answered by a beat at once.
        let fenced = self.quorum.image().broker(id).is_some_and(|broker| broker.fenced);
        if fenced && let Some(epoch) = self.process(life).and_then(|it| it.session_epoch) {
            let metadata_offset = image.offset();
            let event = Event::BeatArrives { life, epoch, metadata_offset, want_shutdown: false };
            let stopping = self.process(life).is_some_and(|process| process.want_shutdown);
            if !stopping {
                self.call(id, CONTROLLER, event);
            }
        }
    }

    pub(crate) fn bring_up_all(&mut self, life: Life, image: &Image) {
        let Some(topic) = image.topic(self.topic_id) else { return };
        for (&partition, state) in &topic.partitions {
            self.bring_up_one(life, image, partition, state);
        }
    }

    fn bring_up(&mut self, life: Life, image: &Image, delta: &Delta) {
        for (id, change) in &delta.partitions {
            self.bring_up_one(life, image, id.partition, &change.new);
        }
        if delta.brokers.is_empty() {
            return;
        }
        for broker in delta.brokers.keys() {
            self.redial(life, *broker);
        }
        let Some(topic) = image.topic(self.topic_id) else { return };
        for (&partition, state) in &topic.partitions {
            let leads = state.leader == Some(life.broker);
            if leads && state.replicas.iter().any(|id| delta.brokers.contains_key(id)) {
                let members = self.members(image, state);
                self.step(life, partition, Input::Members(members));
            }
        }
    }

    fn bring_up_one(
        &mut self,
        life: Life,
        image: &Image,
        partition: PartitionIndex,
        state: &Partition,
    ) {
        if !state.replicas.contains(&life.broker) {
            return;
        }
        if self.held(life.broker, partition).is_none() {
            self.open(life, partition);
        }
        let state = self.state_of(image, state);
        self.step(life, partition, Input::Metadata(state));
    }

    fn open(&mut self, life: Life, partition: PartitionIndex) {
        let rules = self.rules();
        let broker = self.broker_mut(life.broker);
        let disk: &mut Disk = broker.disks.entry(partition).or_default();
        let replica = Replica::new(life.broker, disk.offsets(), disk.producers(), rules);
        let high_watermark = replica.offsets().high_watermark;
        disk.set_high_watermark(high_watermark);
        if let Some(process) = &mut broker.process {
            process.replicas.insert(partition, Held::new(replica));
        }
        self.check_committed(life.broker, partition, 0, high_watermark);
    }
}
