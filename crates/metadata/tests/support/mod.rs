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
        }
    }
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
