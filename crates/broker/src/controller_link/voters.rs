//! Changes of the quorum's voters, at the active controller (KIP-853).

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ottla_config::HostPort;
use ottla_protocol::ErrorCode;
use ottla_protocol::ids::{BrokerId, KafkaUuid};
use ottla_rpc::controller::{AddVoterRequest, AlterVotersReply, RemoveVoterRequest};
use ottla_rpc::quorum::Node;
use ottla_rpc::{convert, status};
use tokio::time::Instant;
use tonic::{Code, Response, Status};

use super::controllers::{Controllers, ProposeError};

/// A change of the voters waits for other controllers: it is given more time than other calls.
const CHANGE_ATTEMPT: Duration = Duration::from_secs(60);

impl Controllers {
    /// Makes a controller a voter once it has caught up, for which it has `time`.
    pub(crate) async fn add_voter(
        &self,
        id: BrokerId,
        directory_id: KafkaUuid,
        address: &HostPort,
        time: Duration,
        deadline: Instant,
    ) -> Result<(), ProposeError> {
        let request = AddVoterRequest {
            node: Some(Node {
                node_id: id,
                host: address.host.clone(),
                port: address.port.into(),
                directory_id: convert::id_to_proto(&directory_id),
            }),
            timeout_ms: u32::try_from(time.as_millis()).unwrap_or(u32::MAX),
        };
        let doubt = Doubt::new(ErrorCode::DuplicateVoter);
        self.call_within(deadline, CHANGE_ATTEMPT, |mut client| {
            let (request, doubt) = (request.clone(), &doubt);
            async move { doubt.judge(async { client.add_voter(request).await }).await }
        })
        .await
        .map(|_| ())
    }

    /// Takes a voter's vote away.
    pub(crate) async fn remove_voter(
        &self,
        id: BrokerId,
        directory_id: KafkaUuid,
        deadline: Instant,
    ) -> Result<(), ProposeError> {
        let request =
            RemoveVoterRequest { node_id: id, directory_id: convert::id_to_proto(&directory_id) };
        let doubt = Doubt::new(ErrorCode::VoterNotFound);
        self.call_within(deadline, CHANGE_ATTEMPT, |mut client| {
            let (request, doubt) = (request.clone(), &doubt);
            async move { doubt.judge(async { client.remove_voter(request).await }).await }
        })
        .await
        .map(|_| ())
    }
}

/// A call whose controller died may have had its effect: what the next one then refuses as done already is
/// the success of the first.
struct Doubt {
    done_already: ErrorCode,
    may_be_done: AtomicBool,
}

impl Doubt {
    fn new(done_already: ErrorCode) -> Self {
        Self { done_already, may_be_done: AtomicBool::new(false) }
    }

    async fn judge(
        &self,
        call: impl Future<Output = Result<Response<AlterVotersReply>, Status>>,
    ) -> Result<Response<AlterVotersReply>, Status> {
        // In doubt also if this future is dropped.
        let before = self.may_be_done.swap(true, Ordering::Relaxed);
        let outcome = call.await;
        let Err(status) = &outcome else { return outcome };
        if status.code() == Code::FailedPrecondition {
            self.may_be_done.store(before, Ordering::Relaxed);
        }
        let refusal = status::refusal(status);
        if before && refusal.is_some_and(|refusal| refusal.code == self.done_already) {
            return Ok(Response::new(AlterVotersReply {}));
        }
        outcome
    }
}
