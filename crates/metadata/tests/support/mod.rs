//! What holds of every image, and between an image and the next.

use ottla_metadata::{Image, Partition};

/// Panics if an image contradicts itself (I16).
pub(crate) fn check_image(image: &Image) {
    for topic in image.topics() {
        for (index, partition) in &topic.partitions {
            let name = format!("{}-{index}: {partition:?}", topic.name);
            let Partition { replicas, isr, elr, leader, .. } = partition.as_ref();
            assert!(isr.iter().all(|id| replicas.contains(id)), "ISR within replicas: {name}");
            assert!(elr.iter().all(|id| replicas.contains(id)), "ELR within replicas: {name}");
            assert!(!elr.iter().any(|id| isr.contains(id)), "ISR and ELR are apart: {name}");
            assert!(leader.is_none_or(|id| isr.contains(&id)), "the leader is in sync: {name}");
            assert!(leader.is_none_or(|id| image.is_active(id)), "the leader is active: {name}");
            assert!(isr.iter().all(|id| image.is_active(*id)), "the ISR is active: {name}");
            assert!(leader.is_some() || isr.is_empty(), "who is in sync leads: {name}");
            check_reassignment(partition, &name);
        }
    }
}

fn check_reassignment(partition: &Partition, name: &str) {
    let Partition { replicas, isr, adding_replicas, removing_replicas, .. } = partition;
    let moving = || adding_replicas.iter().chain(removing_replicas);
    assert!(moving().all(|id| replicas.contains(id)), "who comes and goes is there: {name}");
    assert!(
        !adding_replicas.iter().any(|id| removing_replicas.contains(id)),
        "nobody comes and goes: {name}"
    );
    assert!(replicas.len() > removing_replicas.len(), "somebody stays: {name}");
    assert!(replicas.len() > adding_replicas.len(), "somebody was there: {name}");
    let added = adding_replicas.iter().all(|id| isr.contains(id));
    let stays = isr.iter().any(|id| !removing_replicas.contains(id));
    assert!(!partition.is_reassigning() || !added || !stays, "what can be completed is: {name}");
}

/// Panics if a step broke what only rises (I15), or revived what was deleted (I19).
pub(crate) fn check_step(old: &Image, new: &Image) {
    assert!(new.last_broker_epoch() >= old.last_broker_epoch());
    assert!(new.next_producer_id() >= old.next_producer_id());
    for topic in new.topics() {
        let Some(before) = old.topic(topic.id) else { continue };
        assert!(topic.partitions.len() >= before.partitions.len(), "partitions stay");
        for (index, was) in &before.partitions {
            check_partition_step(was, &topic.partitions[index]);
        }
    }
}

fn check_partition_step(was: &Partition, is: &Partition) {
    if is == was {
        return;
    }
    assert!(is.partition_epoch > was.partition_epoch, "{was:?} to {is:?}");
    assert!(is.leader_epoch >= was.leader_epoch, "{was:?} to {is:?}");
    if is.leader != was.leader {
        assert!(
            is.leader_epoch > was.leader_epoch,
            "another leader, another epoch: {was:?} to {is:?}"
        );
    }
}
