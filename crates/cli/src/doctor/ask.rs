//! Dials and asks; what comes back is judged elsewhere.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::future::join_all;
use ottla_client::admin::{ClusterNode, ConfigResource, Quorum};
use ottla_client::{Admin, Client, ClientError, ClientOptions, HostPort};

use super::dial::{Dialled, Spoken, dial};
use super::facts::{BrokerFacts, ClusterFacts, Facts, TopicFacts};
use super::local;

/// Partitions in one answer.
const PARTITIONS_PER_ANSWER: i32 = 2_000;
/// Topics in one question about configs.
const TOPICS_PER_QUESTION: usize = 200;

/// Everything that can be seen from here.
pub(super) async fn facts(bootstrap: &[HostPort], patience: Duration) -> Facts {
    let dialled = join_all(bootstrap.iter().map(|address| dial(address, None, patience))).await;
    let bootstrap: Vec<(HostPort, Dialled)> = bootstrap.iter().cloned().zip(dialled).collect();
    let answers = |(_, dialled): &&(HostPort, Dialled)| {
        matches!(dialled, Dialled::Spoke(Spoken::Broker { .. }))
    };
    let cluster = match bootstrap.iter().find(answers) {
        Some((first, _)) => Some(cluster(first, patience).await.map_err(|error| error.to_string())),
        None => None,
    };
    Facts { bootstrap, cluster, processes: local::processes() }
}

/// A client that gives up soon: whoever asks is waiting for a diagnosis.
pub(crate) fn impatient(patience: Duration) -> ClientOptions {
    let ms = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
    ClientOptions {
        client_id: "ottla-doctor".to_owned(),
        request_timeout_ms: ms,
        api_timeout_ms: ms.saturating_mul(2),
        connection_setup_timeout_ms: ms,
        ..ClientOptions::default()
    }
}

async fn cluster(address: &HostPort, patience: Duration) -> Result<ClusterFacts, ClientError> {
    // Not connected yet: a connection would go on to the advertised addresses, which may be broken.
    let admin = Admin::new(Client::new(&address.to_string(), impatient(patience))?);
    let described = admin.describe_cluster(true).await?;
    let asked_at = now_ms();
    let quorum = admin.describe_quorum().await;
    let clock_ahead_ms =
        quorum.as_ref().ok().and_then(|quorum| ahead_ms(quorum, asked_at, now_ms()));
    let topics = topics(&admin).await?;
    let brokers = join_all(described.nodes.into_iter().map(|node| broker(node, patience))).await;
    Ok(ClusterFacts {
        id: described.id,
        reached_by: address.host.clone(),
        brokers,
        topics,
        quorum: quorum.map_err(|error| error.to_string()),
        clock_ahead_ms,
    })
}

/// How far the active controller's clock is ahead; it has read it while we waited for its answer.
fn ahead_ms(quorum: &Quorum, asked_at: i64, answered_at: i64) -> Option<i64> {
    let leader = quorum.voters.iter().find(|voter| voter.id == quorum.leader)?;
    let theirs = leader.last_fetch_timestamp;
    (theirs >= 0).then(|| theirs - theirs.clamp(asked_at, answered_at))
}

/// A broker, dialled and asked for its directories.
pub(crate) async fn broker(node: ClusterNode, patience: Duration) -> BrokerFacts {
    let dialled = dial(&node.address, Some(node.id), patience).await;
    let mut dirs = Vec::new();
    if let Dialled::Spoke(Spoken::Broker { .. }) = dialled
        && let Ok(client) = Client::new(&node.address.to_string(), impatient(patience))
        && client.refresh().await.is_ok()
    {
        // A broker that cannot tell of its directories has been judged by how it was reached.
        dirs = Admin::new(client).describe_log_dirs(node.id).await.unwrap_or_default();
    }
    BrokerFacts { node, dialled, dirs }
}

/// All topics.
pub(crate) async fn topics(admin: &Admin) -> Result<Vec<TopicFacts>, ClientError> {
    let names: Vec<String> =
        admin.list_topics().await?.into_iter().map(|topic| topic.name).collect();
    let described = admin.describe_topics(&names, PARTITIONS_PER_ANSWER).await?;
    let mut topics = Vec::with_capacity(described.len());
    for (names, described) in
        names.chunks(TOPICS_PER_QUESTION).zip(described.chunks(TOPICS_PER_QUESTION))
    {
        let min_isr = min_isr(admin, names).await?;
        // A topic that is deleted meanwhile is none that ails.
        let found = described.iter().cloned().zip(min_isr);
        topics.extend(found.filter_map(|(description, min_isr)| {
            Some(TopicFacts { description: description.ok()?, min_isr })
        }));
    }
    Ok(topics)
}

/// `min.insync.replicas` of some topics.
pub(crate) async fn min_isr(
    admin: &Admin,
    topics: &[String],
) -> Result<Vec<Option<usize>>, ClientError> {
    let resources: Vec<_> = topics.iter().map(|topic| ConfigResource::topic(topic)).collect();
    let described = admin.describe_configs(&resources).await?;
    let value = |configs: Result<Vec<ottla_client::admin::ConfigEntry>, _>| {
        let configs: Vec<_> = configs.ok()?;
        let entry = configs.into_iter().find(|config| config.name == "min.insync.replicas")?;
        entry.value?.parse().ok()
    };
    Ok(described.into_iter().map(value).collect())
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
