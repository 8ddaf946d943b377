//! The quorum grows and shrinks: observers join, voters are added and removed, dead or alive, and what was
//! acknowledged stays.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod support;

use std::fs;
use std::time::Duration;

use ottla_metadata::feature::KRAFT_VERSION;
use ottla_metadata::proposal::{FeatureUpdate, Proposal, UpdateFeatures, UpgradeType};
use ottla_metadata_controller::ControllerError;
use ottla_protocol::ErrorCode;
use ottla_protocol::ids::KafkaUuid;
use ottla_rpc::controller as proto;
use ottla_rpc::{convert, quorum, status};
use support::*;

/// Lets the voters change, and waits until all of them are known by their directories.
async fn make_reconfigurable(cluster: &Cluster) {
    let update = FeatureUpdate {
        feature: KRAFT_VERSION.into(),
        level: 1,
        upgrade_type: UpgradeType::Upgrade,
    };
    let updates = UpdateFeatures { updates: vec![update], validate_only: false };
    cluster.propose(&Proposal::UpdateFeatures(updates)).await;
    wait_for(cluster, "the voters' directories", |described| {
        described.voters.iter().all(|voter| voter.directory_id[..] != [0; 16])
    })
    .await;
}

/// The quorum as the active controller describes it, once it is as wanted.
async fn wait_for(
    cluster: &Cluster,
    what: &str,
    wanted: impl Fn(&proto::DescribeQuorumReply) -> bool,
) -> proto::DescribeQuorumReply {
    eventually(what, || async {
        for id in cluster.alive() {
            let call = async move |mut client: Client| {
                client.describe_quorum(proto::DescribeQuorumRequest {}).await
            };
            let reply =
                tokio::time::timeout(Duration::from_secs(1), call(cluster.client(id))).await;
            let Ok(Ok(reply)) = reply else { continue };
            let reply = reply.into_inner();
            if reply.leader_id == id && wanted(&reply) {
                return Some(reply);
            }
        }
        None
    })
    .await
}

fn ids(replicas: &[proto::QuorumReplica]) -> Vec<i32> {
    let mut ids: Vec<i32> = replicas.iter().map(|replica| replica.node_id).collect();
    ids.sort_unstable();
    ids
}

async fn wait_for_voters(cluster: &Cluster, voters: &[i32]) {
    wait_for(cluster, &format!("voters {voters:?}"), |it| ids(&it.voters) == voters).await;
}

async fn wait_for_observer(cluster: &Cluster, id: i32) {
    let what = format!("observer {id}");
    wait_for(cluster, &what, |it| ids(&it.observers).contains(&id)).await;
}

/// Asks whoever is active, until it agrees or refuses.
async fn add(cluster: &Cluster, id: i32, directory_id: KafkaUuid) -> Result<(), ErrorCode> {
    let request = add_request(cluster, id, directory_id);
    ask(cluster, async |client| client.add_voter(request.clone()).await).await
}

fn add_request(cluster: &Cluster, id: i32, directory_id: KafkaUuid) -> proto::AddVoterRequest {
    let at = cluster.options(id).address;
    let node = quorum::Node {
        node_id: id,
        host: at.host,
        port: at.port.into(),
        directory_id: convert::id_to_proto(&directory_id),
    };
    proto::AddVoterRequest { node: Some(node), timeout_ms: 5_000 }
}

async fn remove(cluster: &Cluster, id: i32) -> Result<(), ErrorCode> {
    let directory_id = convert::id_to_proto(&directory_id(id));
    let request = proto::RemoveVoterRequest { node_id: id, directory_id };
    ask(cluster, async |client| client.remove_voter(request.clone()).await).await
}

async fn ask<T>(
    cluster: &Cluster,
    call: impl AsyncFn(&mut Client) -> Result<tonic::Response<T>, tonic::Status>,
) -> Result<(), ErrorCode> {
    eventually("the voters change", || async {
        for id in cluster.alive() {
            let mut client = cluster.client(id);
            match tokio::time::timeout(Duration::from_secs(6), call(&mut client)).await {
                Ok(Ok(_)) => return Some(Ok(())),
                Ok(Err(status)) => {
                    if let Some(refusal) = status::refusal(&status) {
                        println!("refused: {refusal}");
                        return Some(Err(refusal.code));
                    }
                }
                Err(_) => {}
            }
        }
        None
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fourth_controller_joins_votes_and_takes_the_place_of_a_dead_one() {
    let mut cluster = Cluster::started(3).await;
    cluster.set("1").await;
    cluster.joining(4);
    cluster.start(4).await;
    wait_for_observer(&cluster, 4).await;
    cluster.image(4, |image| has_retention(image, "1")).await;
    let refused = add(&cluster, 4, directory_id(4)).await;
    assert_eq!(refused, Err(ErrorCode::UnsupportedVersion), "the voters are fixed at first");
    make_reconfigurable(&cluster).await;
    let refused = add(&cluster, 4, directory_id(9)).await;
    assert_eq!(refused, Err(ErrorCode::RequestTimedOut), "that is not its directory");
    assert_eq!(add(&cluster, 4, directory_id(4)).await, Ok(()));
    wait_for_voters(&cluster, &[1, 2, 3, 4]).await;
    let refused = add(&cluster, 4, directory_id(4)).await;
    assert_eq!(refused, Err(ErrorCode::DuplicateVoter));
    assert_eq!(remove(&cluster, 9).await, Err(ErrorCode::VoterNotFound));

    cluster.kill(1);
    cluster.set("2").await;
    // It counts as dead after a while.
    let removed =
        eventually("the dead one is removed", || async { remove(&cluster, 1).await.ok() });
    removed.await;
    wait_for_voters(&cluster, &[2, 3, 4]).await;
    // Of three voters, one may die: the new one is as good as the others.
    cluster.kill(2);
    let active = cluster.set("3").await;
    assert!([3, 4].contains(&active));
    cluster.image(4, |image| has_retention(image, "3")).await;
    let refused = remove(&cluster, if active == 3 { 4 } else { 3 }).await;
    assert_eq!(refused, Err(ErrorCode::InvalidRequest), "the one that is left has no majority");
    // The removed one comes back with its data: as an observer.
    cluster.start(2).await;
    cluster.start(1).await;
    wait_for_observer(&cluster, 1).await;
    wait_for_voters(&cluster, &[2, 3, 4]).await;
    cluster.image(1, |image| has_retention(image, "3")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_active_controller_hands_over_before_it_is_removed() {
    let mut cluster = Cluster::started(3).await;
    make_reconfigurable(&cluster).await;
    cluster.joining(4);
    cluster.start(4).await;
    wait_for_observer(&cluster, 4).await;
    assert_eq!(add(&cluster, 4, directory_id(4)).await, Ok(()));
    let active = cluster.set("1").await;
    assert_eq!(remove(&cluster, active).await, Ok(()));
    let voters: Vec<i32> = (1..=4).filter(|id| *id != active).collect();
    wait_for_voters(&cluster, &voters).await;
    wait_for_observer(&cluster, active).await;
    let next = cluster.set("2").await;
    assert_ne!(next, active);
    // It is brought up to date all the same, and starts again as what it is.
    cluster.image(active, |image| has_retention(image, "2")).await;
    cluster.kill(active);
    cluster.start(active).await;
    cluster.set("3").await;
    cluster.image(active, |image| has_retention(image, "3")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_voter_that_no_file_names_comes_back_by_what_the_others_know() {
    let mut cluster = Cluster::started(3).await;
    make_reconfigurable(&cluster).await;
    cluster.joining(4);
    cluster.start(4).await;
    assert_eq!(add(&cluster, 4, directory_id(4)).await, Ok(()));
    eventually("1 is removed", || async { remove(&cluster, 1).await.ok() }).await;
    cluster.kill(1);
    cluster.set("1").await;
    cluster.kill(4);
    cluster.set("2").await;
    fs::remove_dir_all(cluster.data(4)).unwrap();
    cluster.start(4).await;
    cluster.image(4, |image| has_retention(image, "2")).await;
    // Then it counts again: with it and one other there is a majority.
    let active = cluster.set("3").await;
    let other = [2, 3].into_iter().find(|id| *id != active).unwrap();
    cluster.kill(other);
    cluster.set("4").await;
    cluster.image(4, |image| has_retention(image, "4")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn controllers_that_know_only_bootstrap_servers_form_a_quorum_that_can_change() {
    let mut cluster = Cluster::new(3);
    for id in 1..=3 {
        let mut options = cluster.options(id);
        let voters = std::mem::take(&mut options.voters);
        options.bootstrap_servers = voters
            .into_iter()
            .map(|voter| ottla_config::HostPort { host: voter.host, port: voter.port })
            .collect();
        cluster.start_with(id, options).await.unwrap();
    }
    cluster.set("1").await;
    let described = wait_for(&cluster, "a leader", |_| true).await;
    assert_eq!(ids(&described.voters), [1, 2, 3]);
    cluster.joining(4);
    cluster.start(4).await;
    assert_eq!(add(&cluster, 4, directory_id(4)).await, Ok(()));
    wait_for_voters(&cluster, &[1, 2, 3, 4]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_controller_of_the_same_id_is_refused() {
    let mut cluster = Cluster::started(3).await;
    cluster.set("1").await;
    cluster.joining(4);
    let mut twin = cluster.options(4);
    twin.node_id = 3;
    cluster.start_with(4, twin).await.unwrap();
    let failure = cluster.failure(4).await;
    assert!(matches!(*failure, ControllerError::NodeIdInUse { node_id: 3, .. }), "{failure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn three_grow_to_five_and_shrink_to_three_others_while_they_die() {
    let mut cluster = Cluster::started(3).await;
    make_reconfigurable(&cluster).await;
    let mut value = 0;
    for (new, old) in [(4, 1), (5, 2)] {
        cluster.joining(new);
        cluster.start(new).await;
        wait_for_observer(&cluster, new).await;
        value += 1;
        let active = cluster.set(&value.to_string()).await;
        // The active one dies while it adds the new one.
        let mut client = cluster.client(active);
        let request = add_request(&cluster, new, directory_id(new));
        let adding = tokio::spawn(async move { client.add_voter(request).await });
        tokio::time::sleep(Duration::from_millis(5)).await;
        cluster.kill(active);
        println!("while it died: {:?}", adding.await.unwrap().map(|_| ()));
        let added = eventually("the new one is added", || async {
            match add(&cluster, new, directory_id(new)).await {
                Ok(()) | Err(ErrorCode::DuplicateVoter) => Some(()),
                Err(_) => None,
            }
        });
        added.await;
        value += 1;
        cluster.set(&value.to_string()).await;
        cluster.start(active).await;
        let removed = eventually("the old one is removed", || async {
            match remove(&cluster, old).await {
                Ok(()) | Err(ErrorCode::VoterNotFound) => Some(()),
                Err(_) => None,
            }
        });
        removed.await;
        cluster.kill(old);
    }
    wait_for_voters(&cluster, &[3, 4, 5]).await;
    value += 1;
    cluster.set(&value.to_string()).await;
    // All of the new ones start again; of the founders only one is left to tell of them.
    for id in [3, 4, 5] {
        cluster.kill(id);
    }
    for id in [3, 4, 5] {
        cluster.start(id).await;
    }
    cluster.image(5, |image| has_retention(image, &value.to_string())).await;
    cluster.set("99").await;
}
