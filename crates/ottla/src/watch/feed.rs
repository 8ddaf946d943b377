//! The metadata feed of whichever controller can be reached, kept up across their deaths.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use ottla_client::{Admin, HostPort};
use ottla_metadata::{Batch, Image, Record};
use ottla_rpc::controller::feed_event::Event as Wire;
use ottla_rpc::controller::{FeedEvent, FeedRequest};
use ottla_rpc::{ChannelOptions, controller_client};
use tokio::sync::mpsc;

/// A controller sends a status when nothing else happens; silence for this long means another one.
const SILENCE: Duration = Duration::from_secs(3);
/// Pause between two rounds over all controllers.
const PAUSE: Duration = Duration::from_millis(100);
/// The broker's id that a tool gives.
const NO_NODE: i32 = -1;

/// What the feed says.
#[derive(Debug)]
pub(super) enum Said {
    /// Now listening to this controller.
    Following {
        controller: i32,
    },
    /// No longer listening, and why.
    Lost {
        controller: i32,
        reason: String,
    },
    /// Replaces everything known before.
    Snapshot(Box<Image>),
    Batch {
        offset: u64,
        batch: Batch,
    },
    Leader {
        id: i32,
        term: u64,
    },
}

/// Where a controller listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Controller {
    id: i32,
    address: HostPort,
}

/// The controllers, as any broker knows them.
pub(super) async fn controllers(admin: &Admin) -> Result<Vec<Controller>> {
    let quorum = admin.describe_quorum().await?;
    let controllers: Vec<_> = quorum
        .voters
        .into_iter()
        .filter_map(|voter| {
            let address = voter.endpoints.into_iter().next()?.address;
            Some(Controller { id: voter.id, address })
        })
        .collect();
    ensure!(
        !controllers.is_empty(),
        "the brokers name no controller's address: `watch` works with Ottla's brokers only"
    );
    Ok(controllers)
}

/// Follows the feed until nobody listens any more.
pub(super) async fn follow(
    controllers: Vec<Controller>,
    cluster_id: String,
    said: mpsc::Sender<Said>,
) {
    let mut next_offset = 0;
    loop {
        for controller in &controllers {
            let Err(reason) = listen(controller, &cluster_id, &mut next_offset, &said).await else {
                return;
            };
            let lost = Said::Lost { controller: controller.id, reason: format!("{reason:#}") };
            if said.send(lost).await.is_err() {
                return;
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Listens to one controller. `Ok`: nobody wants to know any more.
async fn listen(
    controller: &Controller,
    cluster_id: &str,
    next_offset: &mut u64,
    said: &mpsc::Sender<Said>,
) -> Result<()> {
    let HostPort { host, port } = &controller.address;
    let channel = ottla_rpc::connect(host, *port, &ChannelOptions::default())
        .await
        .map_err(|error| anyhow::anyhow!("cannot be reached at {}: {error}", controller.address))?;
    let request = FeedRequest {
        cluster_id: cluster_id.to_owned(),
        node_id: NO_NODE,
        from_offset: *next_offset,
    };
    let mut feed = controller_client(channel).feed(request).await?.into_inner();
    if said.send(Said::Following { controller: controller.id }).await.is_err() {
        return Ok(());
    }
    let mut snapshot = Vec::new();
    loop {
        let event = tokio::time::timeout(SILENCE, feed.message())
            .await
            .with_context(|| format!("silent for {} s", SILENCE.as_secs()))??;
        let Some(event) = event else { bail!("closed the feed") };
        if let Some(message) = take_in(event, &mut snapshot, next_offset)?
            && said.send(message).await.is_err()
        {
            return Ok(());
        }
    }
}

/// One message of the feed; the chunks of a snapshot are gathered until it is whole.
fn take_in(
    event: FeedEvent,
    snapshot: &mut Vec<Record>,
    next_offset: &mut u64,
) -> Result<Option<Said>> {
    Ok(match event.event {
        Some(Wire::Snapshot(chunk)) => {
            for record in chunk.records {
                snapshot.push(record.try_into()?);
            }
            if !chunk.last {
                return Ok(None);
            }
            let (image, _) = Image::from_records(chunk.offset, &std::mem::take(snapshot));
            *next_offset = chunk.offset + 1;
            Some(Said::Snapshot(Box::new(image)))
        }
        Some(Wire::Batch(batch)) => {
            let records = batch.batch.context("an empty batch in the feed")?;
            *next_offset = batch.offset + 1;
            Some(Said::Batch { offset: batch.offset, batch: records.try_into()? })
        }
        Some(Wire::Status(status)) => {
            Some(Said::Leader { id: status.leader_id, term: status.term })
        }
        None => None,
    })
}
