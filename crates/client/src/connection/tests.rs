use std::time::Duration;

use bytes::BufMut;
use ottla_protocol::frame::{RequestHeader, encode_response, encode_response_as, peek};
use ottla_protocol::messages::api_versions_response::ApiVersion;
use ottla_protocol::messages::{MetadataRequest, MetadataResponse};
use tokio::net::TcpListener;

use super::*;

const LIMIT: Duration = Duration::from_secs(30);

/// A broker that answers by script.
struct Broker {
    stream: TcpStream,
}

impl Broker {
    async fn request(&mut self) -> RequestHeader {
        let length = self.stream.read_i32().await.unwrap();
        let mut frame = vec![0; usize::try_from(length).unwrap()];
        self.stream.read_exact(&mut frame).await.unwrap();
        peek(&frame).unwrap()
    }

    async fn metadata(&mut self, header: &RequestHeader, cluster: &'static str) {
        let cluster_id = Some(StrBytes::from_static_str(cluster));
        let response = MetadataResponse::default().with_cluster_id(cluster_id);
        let frame = encode_response(header, &response).unwrap();
        self.stream.write_all(&frame).await.unwrap();
    }

    /// Answers the version handshake: Metadata up to version 12.
    async fn handshake(&mut self) {
        let header = self.request().await;
        let frame = encode_response(&header, &versions(0)).unwrap();
        self.stream.write_all(&frame).await.unwrap();
    }
}

fn versions(error_code: i16) -> ApiVersionsResponse {
    let row = |key: ApiKey, max| {
        ApiVersion::default().with_api_key(key as i16).with_min_version(0).with_max_version(max)
    };
    ApiVersionsResponse::default()
        .with_error_code(error_code)
        .with_api_keys(vec![row(ApiKey::ApiVersions, 2), row(ApiKey::Metadata, 12)])
}

async fn open(
    options: ClientOptions,
    script: impl AsyncFnOnce(Broker) + 'static,
) -> Result<Connection, ClientError> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address =
        HostPort { host: "127.0.0.1".to_owned(), port: listener.local_addr().unwrap().port() };
    tokio::task::spawn_local(async move {
        let (stream, _) = listener.accept().await.unwrap();
        script(Broker { stream }).await;
    });
    Connection::open(&address, &options).await
}

async fn local(test: impl Future<Output = ()>) {
    tokio::task::LocalSet::new().run_until(test).await;
}

async fn cluster_id(connection: &Connection) -> Result<Option<String>, ClientError> {
    let version = connection.negotiate::<MetadataRequest>()?;
    let response = connection.call(version, &MetadataRequest::default(), LIMIT).await?;
    Ok(response.cluster_id.map(|id| id.to_string()))
}

#[tokio::test]
async fn requests_are_pipelined_and_answered_in_order() {
    local(async {
        let connection = open(ClientOptions::default(), async |mut broker: Broker| {
            broker.handshake().await;
            // Both are here before either is answered.
            let (first, second) = (broker.request().await, broker.request().await);
            assert_eq!((first.api_version, first.client_id.as_deref()), (12, Some("ottla")));
            broker.metadata(&first, "one").await;
            broker.metadata(&second, "two").await;
        })
        .await
        .unwrap();
        let (one, two) = tokio::join!(cluster_id(&connection), cluster_id(&connection));
        assert_eq!((one.unwrap().as_deref(), two.unwrap().as_deref()), (Some("one"), Some("two")));
    })
    .await;
}

#[tokio::test]
async fn an_older_broker_is_asked_again_in_its_own_version() {
    local(async {
        let connection = open(ClientOptions::default(), async |mut broker: Broker| {
            let first = broker.request().await;
            assert_eq!(first.api_version, 3);
            let code = ErrorCode::UnsupportedVersion.code();
            let refusal = encode_response_as(first.correlation_id, 0, &versions(code)).unwrap();
            broker.stream.write_all(&refusal).await.unwrap();
            let second = broker.request().await;
            assert_eq!(second.api_version, 2);
            let answer = encode_response(&second, &versions(0)).unwrap();
            broker.stream.write_all(&answer).await.unwrap();
            std::future::pending::<()>().await;
        })
        .await
        .unwrap();
        assert_eq!(connection.versions().range(ApiKey::Metadata as i16), Some((0, 12)));
    })
    .await;
}

#[tokio::test]
async fn everybody_who_waits_hears_of_the_end() {
    local(async {
        let connection = open(ClientOptions::default(), async |mut broker: Broker| {
            broker.handshake().await;
            broker.request().await;
            broker.request().await;
        })
        .await
        .unwrap();
        let (one, two) = tokio::join!(cluster_id(&connection), cluster_id(&connection));
        for outcome in [one, two] {
            let error = outcome.unwrap_err();
            assert!(matches!(error, ClientError::Disconnected { .. }), "{error}");
            assert!(!error.is_definite(), "it may have been carried out");
        }
        let error = cluster_id(&connection).await.unwrap_err();
        assert!(error.is_definite(), "nothing is sent on a closed connection: {error}");
        assert!(connection.is_closed());
    })
    .await;
}

#[tokio::test]
async fn silence_closes_the_connection() {
    local(async {
        let connection = open(ClientOptions::default(), async |mut broker: Broker| {
            broker.handshake().await;
            std::future::pending::<()>().await;
        })
        .await
        .unwrap();
        let limit = Duration::from_millis(20);
        let error = connection.call(12, &MetadataRequest::default(), limit).await.unwrap_err();
        assert!(matches!(error, ClientError::RequestTimeout { .. }), "{error}");
        assert!(connection.is_closed());
    })
    .await;
}

#[tokio::test]
async fn a_response_of_absurd_length_is_not_read() {
    local(async {
        let options = ClientOptions { max_response_bytes: 1 << 10, ..Default::default() };
        let connection = open(options, async |mut broker: Broker| {
            broker.handshake().await;
            broker.request().await;
            broker.stream.write_i32(i32::MAX).await.unwrap();
            std::future::pending::<()>().await;
        })
        .await
        .unwrap();
        let error = cluster_id(&connection).await.unwrap_err();
        assert!(error.to_string().contains("impossible length"), "{error}");
    })
    .await;
}

#[tokio::test]
async fn an_answer_to_nobody_closes_the_connection() {
    local(async {
        let connection = open(ClientOptions::default(), async |mut broker: Broker| {
            broker.handshake().await;
            let mut header = broker.request().await;
            header.correlation_id += 5;
            broker.metadata(&header, "wrong").await;
            std::future::pending::<()>().await;
        })
        .await
        .unwrap();
        let error = cluster_id(&connection).await.unwrap_err();
        assert!(error.to_string().contains("out of order"), "{error}");
    })
    .await;
}

#[tokio::test]
async fn rubbish_is_an_error_and_not_a_panic() {
    local(async {
        let connection = open(ClientOptions::default(), async |mut broker: Broker| {
            broker.handshake().await;
            let header = broker.request().await;
            let mut frame = BytesMut::new();
            frame.put_i32(12);
            frame.put_i32(header.correlation_id);
            frame.put_bytes(0xff, 8);
            broker.stream.write_all(&frame).await.unwrap();
            std::future::pending::<()>().await;
        })
        .await
        .unwrap();
        let error = cluster_id(&connection).await.unwrap_err();
        assert!(matches!(error, ClientError::Frame { .. }), "{error}");
    })
    .await;
}

#[tokio::test]
async fn a_refused_connection_is_definite() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let address = HostPort { host: "127.0.0.1".to_owned(), port };
    let outcome = Connection::open(&address, &ClientOptions::default()).await;
    let error = outcome.err().unwrap();
    assert!(matches!(error, ClientError::Connect { .. }) && error.is_definite(), "{error}");
}
