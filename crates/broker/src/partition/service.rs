//! The leader's side of the replica streams: the gRPC service.

use std::pin::Pin;

use futures::Stream;
use ottla_rpc::replication::replication_server::Replication;
use ottla_rpc::replication::{FromFollower, FromLeader, IdentifyReply, IdentifyRequest};
use tonic::{Request, Response, Status, Streaming};

/// Serves `Replicate` and `Identify`.
#[derive(Clone)]
pub struct ReplicationService {}

#[tonic::async_trait]
impl Replication for ReplicationService {
    type ReplicateStream = Pin<Box<dyn Stream<Item = Result<FromLeader, Status>> + Send>>;

    async fn replicate(
        &self,
        request: Request<Streaming<FromFollower>>,
    ) -> Result<Response<Self::ReplicateStream>, Status> {
        let _ = request;
        unimplemented!("replicate")
    }

    async fn identify(
        &self,
        request: Request<IdentifyRequest>,
    ) -> Result<Response<IdentifyReply>, Status> {
        let _ = request;
        unimplemented!("identify")
    }
}
