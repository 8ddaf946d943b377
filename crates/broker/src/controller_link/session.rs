//! The broker's registration and its standing session with the active controller.

use std::sync::Arc;
use std::time::Duration;

use ottla_rpc::controller::{Beat, BeatReply, RegisterRequest};
use ottla_rpc::status;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};

use super::Shared;
use super::leader::Client;

/// A registration takes a commit; a controller that has not answered by then is asked again.
const REGISTER_TIMEOUT: Duration = Duration::from_secs(2);
/// Opening a session takes one round trip.
const OPEN_TIMEOUT: Duration = Duration::from_millis(500);
/// Before the same controller is tried again.
const TRY_AGAIN: Duration = Duration::from_millis(10);
/// After a refusal that another attempt will meet as well, for a while.
const REFUSED_PAUSE: Duration = Duration::from_millis(250);

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error("another controller is active")]
    LeaderChanged,
    #[error("the controller closed it")]
    Closed,
    #[error("the controller did not answer in time")]
    Silent,
    #[error("another registration took its place")]
    StaleEpoch,
    #[error("it was unregistered")]
    Unregistered,
    #[error("{0}")]
    Status(#[from] Status),
}

/// Keeps a session with whichever controller is active, for ever; or until somebody unregisters this
/// broker: who did so does not want it back before it is started anew.
pub(super) async fn keep(shared: Arc<Shared>) {
    loop {
        let (id, client) = shared.controllers.leader.find().await;
        let epoch = match shared.session_epoch() {
            Some(epoch) => Ok(epoch),
            None => register(&shared, client.clone()).await,
        };
        let lost = match epoch {
            Ok(epoch) => match hold(&shared, id, client, epoch).await {
                Ok(never) => match never {},
                Err(lost) => lost,
            },
            Err(lost) => lost,
        };
        shared.in_session(false);
        if matches!(lost, Lost::Unregistered) {
            tracing::warn!(
                "this broker was unregistered: it stays out of the cluster until it is started again"
            );
            return;
        }
        let pause = take_leave(&shared, id, &lost);
        match &lost {
            // What happens whenever the quorum chooses another leader.
            Lost::Status(status) if status.code() == Code::FailedPrecondition => {
                tracing::debug!(controller = id, "controller session ended: {lost}");
            }
            _ => tracing::info!(controller = id, "controller session ended: {lost}"),
        }
        sleep(pause).await;
    }
}

/// Draws the conclusions from a lost session; returns how long to wait before the next one.
fn take_leave(shared: &Shared, id: i32, lost: &Lost) -> Duration {
    match lost {
        Lost::LeaderChanged | Lost::Unregistered => {}
        Lost::StaleEpoch => shared.void_session_epoch(),
        Lost::Closed | Lost::Silent => shared.controllers.leader.lost(id),
        Lost::Status(status) => {
            let redirected = shared.controllers.leader.judge(id, status);
            if !redirected && is_refusal(status) {
                tracing::warn!(controller = id, "registration refused: {}", status.message());
                if status.code() == Code::PermissionDenied {
                    shared.refuse(status.message());
                }
                return REFUSED_PAUSE;
            }
            // Nobody else to turn to: this one may be active in a moment.
            if shared.controllers.leader.id().is_none() {
                return TRY_AGAIN;
            }
        }
    }
    Duration::ZERO
}

/// An answer about this broker, not about the connection or the controller: another cluster's id, which
/// is for good, or a node id that somebody else still uses, which may pass.
fn is_refusal(status: &Status) -> bool {
    matches!(status.code(), Code::InvalidArgument | Code::PermissionDenied)
        || status::refusal(status).is_some()
}

async fn register(shared: &Shared, mut client: Client) -> Result<i64, Lost> {
    let request: RegisterRequest = shared.registration();
    let reply = timeout(REGISTER_TIMEOUT, client.register(request))
        .await
        .map_err(|_| Lost::Silent)??
        .into_inner();
    tracing::info!(broker_epoch = reply.broker_epoch, "registered");
    shared.registered(reply.broker_epoch);
    Ok(reply.broker_epoch)
}

/// Beats until the session ends.
async fn hold(
    shared: &Shared,
    id: i32,
    mut client: Client,
    epoch: i64,
) -> Result<std::convert::Infallible, Lost> {
    // One beat under way, one waiting: older ones say nothing that the next does not say.
    let (beats, outgoing) = mpsc::channel(2);
    let mut last_sent = shared.beat(epoch);
    // The first beat is in the stream before the call, so that the controller need not wait for it.
    let _ = beats.try_send(last_sent.clone());
    let mut replies = timeout(OPEN_TIMEOUT, client.session(ReceiverStream::new(outgoing)))
        .await
        .map_err(|_| Lost::Silent)??
        .into_inner();
    let mut tick = interval(shared.beat_interval);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tick.reset();
    loop {
        tokio::select! {
            reply = timeout(shared.session_timeout, replies.message()) => {
                let reply = reply.map_err(|_| Lost::Silent)??.ok_or(Lost::Closed)?;
                take(shared, &reply)?;
            }
            () = shared.controllers.leader.changed_from(id) => return Err(Lost::LeaderChanged),
            _ = tick.tick() => {
                last_sent = shared.beat(epoch);
                let _ = beats.try_send(last_sent.clone());
            }
            () = shared.beat_now.notified() => {
                let beat = shared.beat(epoch);
                // Metadata that moves on under an unfenced broker is not news.
                if is_news(shared, &last_sent, &beat) {
                    last_sent = beat;
                    let _ = beats.try_send(last_sent.clone());
                }
            }
        }
    }
}

fn is_news(shared: &Shared, last: &Beat, new: &Beat) -> bool {
    last.want_shutdown != new.want_shutdown
        || (!shared.is_unfenced() && last.metadata_offset != new.metadata_offset)
}

fn take(shared: &Shared, reply: &BeatReply) -> Result<(), Lost> {
    match (reply.stale_epoch, reply.unregistered) {
        (true, true) => return Err(Lost::Unregistered),
        (true, false) => return Err(Lost::StaleEpoch),
        (false, _) => {}
    }
    // A controller that can commit nothing relieves nobody either.
    shared.in_session(!reply.no_majority);
    if reply.should_shut_down {
        shared.may_stop();
    }
    Ok(())
}
