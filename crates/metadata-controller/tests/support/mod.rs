//! Controllers in this process, each on a runtime of its own, and a broker that only beats.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ottla_config::{HostPort, Voter};
use ottla_metadata::plan::brokers::Registration;
use ottla_metadata::proposal::{CreateTopics, NewTopic, Proposal, Reply};
use ottla_metadata::{Batch, Endpoint, Image, Record};
use ottla_metadata_controller::{Controller, ControllerError, ControllerHandle, ControllerOptions};
use ottla_protocol::ids::KafkaUuid;
use ottla_rpc::controller as proto;
use ottla_rpc::controller::feed_event::Event;
use ottla_rpc::convert::{proposal_to_proto, registration_to_proto, reply_from_proto};
use ottla_rpc::replication::replication_server::Replication;
use ottla_rpc::replication::{FromFollower, FromLeader, IdentifyReply, IdentifyRequest};
use ottla_rpc::{
    ChannelOptions, Connections, channel, controller_client, replication_server, server_builder,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

pub(crate) type Client = proto::controller_client::ControllerClient<tonic::transport::Channel>;

pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub(crate) fn random_id() -> KafkaUuid {
    KafkaUuid::from_bytes(rand::random())
}

/// A client of the controller with these options.
pub(crate) fn client_of(options: &ControllerOptions) -> Client {
    let at = &options.listen[0];
    controller_client(channel(&at.host, at.port, &ChannelOptions::default()).unwrap())
}

/// Waits until `check` gives something, at most [`DEADLINE`].
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut check: impl FnMut() -> F,
) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = check().await {
            return found;
        }
        assert!(Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

pub(crate) struct Cluster {
    /// Those who form the quorum.
    pub(crate) voters: Vec<Voter>,
    /// Where those listen that come later.
    joining: BTreeMap<i32, HostPort>,
    dir: TempDir,
    running: BTreeMap<i32, Running>,
}

struct Running {
    runtime: Runtime,
    handle: ControllerHandle,
}

impl Cluster {
    pub(crate) fn new(size: i32) -> Self {
        let voter = |id| Voter { id, host: "127.0.0.1".to_owned(), port: free_port() };
        Self {
            voters: (1..=size).map(voter).collect(),
            joining: BTreeMap::new(),
            dir: tempfile::tempdir().unwrap(),
            running: BTreeMap::new(),
        }
    }

    /// A controller that is to come later, and knows the founders as its bootstrap servers.
    pub(crate) fn joining(&mut self, id: i32) {
        let at = HostPort { host: "127.0.0.1".to_owned(), port: free_port() };
        self.joining.insert(id, at);
    }

    pub(crate) async fn started(size: i32) -> Self {
        let mut cluster = Self::new(size);
        cluster.start_all().await;
        cluster
    }

    pub(crate) async fn start_all(&mut self) {
        for id in 1..=i32::try_from(self.voters.len()).unwrap() {
            self.start(id).await;
        }
    }

    pub(crate) fn data(&self, id: i32) -> PathBuf {
        self.dir.path().join(id.to_string())
    }

    pub(crate) fn options(&self, id: i32) -> ControllerOptions {
        let mut options =
            ControllerOptions::new(id, random_id(), self.voters.clone(), self.data(id));
        options.directory_id = directory_id(id);
        if let Some(at) = self.joining.get(&id) {
            let voters = options.voters.drain(..);
            options.bootstrap_servers =
                voters.map(|voter| HostPort { host: voter.host, port: voter.port }).collect();
            options.address = at.clone();
        }
        options.listen = vec![options.address.clone()];
        options
    }

    pub(crate) async fn start(&mut self, id: i32) {
        let options = self.options(id);
        self.start_with(id, options).await.unwrap();
    }

    /// What was dropped a moment ago may still hold its lock or its port.
    pub(crate) async fn start_with(
        &mut self,
        id: i32,
        options: ControllerOptions,
    ) -> Result<(), ControllerError> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap();
            match runtime.spawn(Controller::start(options.clone())).await.unwrap() {
                Ok(handle) => {
                    self.running.insert(id, Running { runtime, handle });
                    return Ok(());
                }
                Err(ControllerError::InUse { .. } | ControllerError::Listen { .. })
                    if Instant::now() < deadline =>
                {
                    runtime.shutdown_background();
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                Err(error) => {
                    runtime.shutdown_background();
                    return Err(error);
                }
            }
        }
    }

    /// Everything of it stops where it stands, sockets close: as near to SIGKILL as it gets in one process.
    pub(crate) fn kill(&mut self, id: i32) {
        if let Some(running) = self.running.remove(&id) {
            running.runtime.shutdown_background();
        }
    }

    /// Stops in order.
    pub(crate) async fn stop(&mut self, id: i32) {
        if let Some(running) = self.running.remove(&id) {
            running.runtime.spawn(running.handle.shutdown()).await.unwrap();
            running.runtime.shutdown_background();
        }
    }

    pub(crate) async fn failure(&self, id: i32) -> Arc<ControllerError> {
        let running = &self.running[&id];
        tokio::time::timeout(DEADLINE, running.handle.failed()).await.unwrap()
    }

    pub(crate) fn client(&self, id: i32) -> Client {
        client_of(&self.options(id))
    }

    pub(crate) fn alive(&self) -> Vec<i32> {
        self.running.keys().copied().collect()
    }

    /// Proposes to whoever is active, until somebody takes it; returns who and the reply.
    pub(crate) async fn propose(&self, proposal: &Proposal) -> (i32, Reply) {
        eventually("a proposal is taken", || async {
            for id in self.alive() {
                if let Some(reply) = try_propose(&self.client(id), proposal).await {
                    return Some((id, reply));
                }
            }
            None
        })
        .await
    }

    /// Sets a topic-less configuration value: a change that needs no broker.
    pub(crate) async fn set(&self, value: &str) -> i32 {
        let (id, reply) = self.propose(&set_retention(value)).await;
        assert_eq!(reply, Reply::AlterConfigs(vec![Ok(())]));
        id
    }

    /// The image as one controller's feed gives it, once it holds what `check` wants.
    pub(crate) async fn image(&self, id: i32, check: impl Fn(&Image) -> bool) -> Image {
        image_of(&self.client(id), check).await
    }
}

/// Proposes until it is taken.
pub(crate) async fn propose(client: &Client, proposal: &Proposal) -> Reply {
    eventually("a proposal is taken", || try_propose(client, proposal)).await
}

/// Proposes once; `None` if it was not taken, or nobody knows.
pub(crate) async fn try_propose(client: &Client, proposal: &Proposal) -> Option<Reply> {
    let request = proto::ProposeRequest {
        cluster_id: String::new(),
        broker_id: -1,
        broker_epoch: -1,
        proposal: Some(proposal_to_proto(proposal)),
    };
    let mut client = client.clone();
    let call = client.propose(request);
    let reply = tokio::time::timeout(Duration::from_millis(500), call).await.ok()?.ok()?;
    Some(reply_from_proto(reply.into_inner().reply.unwrap()).unwrap())
}

/// The image as a controller's feed gives it, once it holds what `check` wants.
pub(crate) async fn image_of(client: &Client, check: impl Fn(&Image) -> bool) -> Image {
    eventually("the image", || async {
        tokio::time::timeout(DEADLINE, follow(client, &check)).await.ok().flatten()
    })
    .await
}

async fn follow(client: &Client, check: &impl Fn(&Image) -> bool) -> Option<Image> {
    let request = proto::FeedRequest { cluster_id: String::new(), node_id: -1, from_offset: 0 };
    let mut events = client.clone().feed(request).await.ok()?.into_inner();
    let mut records: Vec<Record> = Vec::new();
    let mut image = Image::default();
    while let Ok(Some(event)) = events.message().await {
        match event.event? {
            Event::Status(_) => continue,
            Event::Snapshot(snapshot) => {
                records
                    .extend(snapshot.records.into_iter().map(|record| record.try_into().unwrap()));
                if !snapshot.last {
                    continue;
                }
                image = Image::from_records(snapshot.offset, &std::mem::take(&mut records)).0;
            }
            Event::Batch(batch) => {
                let decoded: Batch = batch.batch?.try_into().unwrap();
                assert!(batch.offset > image.offset(), "batches come in order");
                image.replay_batch(batch.offset, &decoded);
            }
        }
        if check(&image) {
            return Some(image);
        }
    }
    None
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for id in self.alive() {
            self.kill(id);
        }
    }
}

/// The directory id of a controller's data.
pub(crate) fn directory_id(id: i32) -> KafkaUuid {
    KafkaUuid::from_bytes([u8::try_from(id).unwrap(); 16])
}

pub(crate) fn set_retention(value: &str) -> Proposal {
    use ottla_metadata::proposal::{
        AlterConfig, AlterConfigOp, AlterConfigResource, AlterConfigs, ResourceType,
    };
    Proposal::AlterConfigs(AlterConfigs {
        resources: vec![AlterConfigResource {
            resource_type: ResourceType::Broker,
            name: String::new(),
            alters: vec![AlterConfig {
                op: AlterConfigOp::Set,
                key: "log.retention.ms".to_owned(),
                value: Some(value.to_owned()),
            }],
            replace_all: false,
        }],
        validate_only: false,
    })
}

pub(crate) fn has_retention(image: &Image, value: &str) -> bool {
    let config = image.config(&ottla_metadata::ConfigResource::ClusterDefault);
    config.get("log.retention.ms").is_some_and(|found| found == value)
}

pub(crate) fn create_topic(name: &str, replication_factor: i32) -> Proposal {
    Proposal::CreateTopics(CreateTopics {
        topics: vec![NewTopic {
            name: name.into(),
            partitions: 1,
            replication_factor,
            assignments: Vec::new(),
            configs: Vec::new(),
        }],
        validate_only: false,
    })
}

/// A broker that registers, identifies itself and beats; on a runtime of its own, so that it can be killed.
pub(crate) struct Broker {
    runtime: Option<Runtime>,
    pub(crate) id: i32,
    pub(crate) shut_down: Arc<tokio::sync::Notify>,
    leave: Arc<tokio::sync::Notify>,
}

struct Identify {
    id: i32,
    incarnation: KafkaUuid,
}

#[tonic::async_trait]
impl Replication for Identify {
    type ReplicateStream = ReceiverStream<Result<FromLeader, Status>>;

    async fn replicate(
        &self,
        _: Request<Streaming<FromFollower>>,
    ) -> Result<Response<Self::ReplicateStream>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn identify(
        &self,
        _: Request<IdentifyRequest>,
    ) -> Result<Response<IdentifyReply>, Status> {
        Ok(Response::new(IdentifyReply {
            broker_id: self.id,
            incarnation_id: self.incarnation.as_bytes().to_vec().into(),
            cluster_id: String::new(),
        }))
    }
}

impl Broker {
    pub(crate) fn start(id: i32, cluster: &Cluster) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let clients: Vec<_> =
            cluster.voters.iter().map(|voter| (voter.host.clone(), voter.port)).collect();
        let shut_down = Arc::new(tokio::sync::Notify::new());
        let leave = Arc::new(tokio::sync::Notify::new());
        runtime.spawn(run_broker(id, clients, Arc::clone(&shut_down), Arc::clone(&leave)));
        Self { runtime: Some(runtime), id, shut_down, leave }
    }

    /// Asks for a controlled shutdown; `shut_down` is notified when it may stop.
    pub(crate) fn leave(&self) {
        self.leave.notify_one();
    }

    pub(crate) fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn run_broker(
    id: i32,
    controllers: Vec<(String, u16)>,
    shut_down: Arc<tokio::sync::Notify>,
    leave: Arc<tokio::sync::Notify>,
) {
    let incarnation = random_id();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, connections) = Connections::channel(8);
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            if sender.send(connection).await.is_err() {
                return;
            }
        }
    });
    let router = server_builder().add_service(replication_server(Identify { id, incarnation }));
    tokio::spawn(ottla_rpc::serve_with_incoming(router, connections, std::future::pending()));
    let clients: Vec<_> = controllers
        .iter()
        .map(|(host, port)| {
            controller_client(channel(host, *port, &ChannelOptions::default()).unwrap())
        })
        .collect();
    let registration = Registration {
        broker_id: id,
        incarnation_id: incarnation,
        endpoints: vec![Endpoint {
            listener: "PLAINTEXT".into(),
            host: "127.0.0.1".into(),
            port,
            security_protocol: "PLAINTEXT".into(),
        }],
        rack: None,
        inter_broker_listener: "PLAINTEXT".into(),
        previous_broker_epoch: -1,
    };
    let mut leaving = false;
    for client in clients.iter().cycle() {
        tokio::time::sleep(Duration::from_millis(5)).await;
        let mut client = client.clone();
        let registered = client.register(registration_to_proto(&registration, "")).await;
        let Ok(registered) = registered else { continue };
        let epoch = registered.into_inner().broker_epoch;
        let (beats, receiver) = mpsc::channel(1);
        let beat = |want_shutdown| proto::Beat {
            cluster_id: String::new(),
            broker_id: id,
            broker_epoch: epoch,
            metadata_offset: u64::MAX,
            want_shutdown,
            ..proto::Beat::default()
        };
        beats.send(beat(leaving)).await.unwrap();
        let Ok(answers) = client.session(ReceiverStream::new(receiver)).await else { continue };
        let mut answers = answers.into_inner();
        loop {
            match answers.message().await {
                Ok(Some(answer)) if answer.stale_epoch => break,
                Ok(Some(answer)) if answer.should_shut_down => {
                    shut_down.notify_one();
                    return;
                }
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => break,
            }
            tokio::select! {
                () = leave.notified() => leaving = true,
                () = tokio::time::sleep(Duration::from_millis(20)) => {}
            }
            if beats.send(beat(leaving)).await.is_err() {
                break;
            }
        }
    }
}
