//! Brokers in this process, against a controller in memory.

pub(crate) mod controller;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ottla_broker::{Broker, BrokerHandle, BrokerOptions, LogLevels};
use ottla_config::{NodeConfig, Properties};
use ottla_protocol::ids::KafkaUuid;
use ottla_protocol::{Request, frame};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::time::timeout;

/// Long enough for anything here; a test that waits so long has failed.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// A running broker and its data.
pub(crate) struct TestBroker {
    pub(crate) handle: BrokerHandle,
    pub(crate) address: SocketAddr,
    pub(crate) dir: TempDir,
}

/// Starts broker `id` with these settings on top, and waits until it is unfenced.
pub(crate) async fn start(id: i32, controller: SocketAddr, settings: &str) -> TestBroker {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let config = config(id, controller, dir.path(), settings);
    let handle = start_in(config).await;
    timeout(LIMIT, handle.ready()).await.expect("unfenced");
    let address = handle.addresses()[0].1;
    TestBroker { handle, address, dir }
}

pub(crate) async fn start_in(config: NodeConfig) -> BrokerHandle {
    let options = BrokerOptions {
        log_levels: Arc::new(LogLevels::new("info", |_| Ok(()))),
        config: Arc::new(config),
        incarnation_id: KafkaUuid::from_bytes(rand::random()),
        control: Handle::current(),
        data: Handle::current(),
    };
    Broker::start(options).await.expect("starts")
}

pub(crate) fn config(
    id: i32,
    controller: SocketAddr,
    dir: &std::path::Path,
    settings: &str,
) -> NodeConfig {
    let text = format!(
        "process.roles=broker\n\
         node.id={id}\n\
         controller.quorum.voters={}@{controller}\n\
         controller.listener.names=CONTROLLER\n\
         listeners=PLAINTEXT://127.0.0.1:0\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:0\n\
         log.dirs={}\n\
         {settings}\n",
        controller::CONTROLLER_ID,
        dir.display(),
    );
    let properties = Properties::parse(&text).expect("properties");
    NodeConfig::resolve(&properties).expect("a configuration").0
}

/// A client that speaks one request at a time.
pub(crate) struct Wire {
    stream: TcpStream,
    correlation_id: i32,
}

impl Wire {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("connects");
        Self { stream, correlation_id: 0 }
    }

    pub(crate) async fn send<Q: Request>(&mut self, version: i16, request: &Q) -> i32 {
        self.correlation_id += 1;
        let frame = frame::encode_request(self.correlation_id, Some("test"), version, request)
            .expect("encodes");
        self.stream.write_all(&frame).await.expect("sent");
        self.correlation_id
    }

    pub(crate) async fn receive<Q: Request>(&mut self, version: i16) -> (i32, Q::Response) {
        let body = timeout(LIMIT, self.receive_frame()).await.expect("an answer in time");
        frame::decode_response(version, body.expect("an answer")).expect("decodes")
    }

    pub(crate) async fn call<Q: Request>(&mut self, version: i16, request: &Q) -> Q::Response {
        let sent = self.send(version, request).await;
        let (correlation_id, response) = self.receive::<Q>(version).await;
        assert_eq!(correlation_id, sent);
        response
    }

    /// The next frame, without its length; `None` if the broker closes the connection.
    pub(crate) async fn receive_frame(&mut self) -> Option<Bytes> {
        let length = self.stream.read_u32().await.ok()?;
        let mut body = vec![0; length as usize];
        self.stream.read_exact(&mut body).await.ok()?;
        Some(body.into())
    }

    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("sent");
    }
}
