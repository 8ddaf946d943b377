use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use futures::FutureExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::connection::{Closed, Handler, Limits, Refused, Reply, serve};
use super::input::Input;
use super::output::Output;

/// Echoes frames. The first byte of a frame says how: `w` waits for its turn in `gates`, `p` does so and
/// may overlap, `n` is not answered, `x` is refused, `!` panics.
struct Echo {
    gates: Vec<oneshot::Receiver<()>>,
}

impl Handler for Echo {
    fn overlaps(&self, frame: &[u8]) -> bool {
        frame.first() == Some(&b'p')
    }

    fn handle(&mut self, frame: Bytes) -> Result<Reply, Refused> {
        let answer = vec![framed(&frame).freeze()];
        match frame[0] {
            b'w' | b'p' => {
                let gate = self.gates.remove(0);
                Ok(Reply::Waiting(gate.map(|_| Ok(Some(answer))).boxed()))
            }
            b'n' => Ok(Reply::Nothing),
            b'x' => Err(Refused("refused".to_owned())),
            b'!' => panic!("a handler panics"),
            _ => Ok(Reply::Ready(answer)),
        }
    }
}

fn framed(body: &[u8]) -> BytesMut {
    let mut frame = BytesMut::new();
    frame.put_i32(i32::try_from(body.len()).expect("small"));
    frame.put_slice(body);
    frame
}

struct Served {
    client: TcpStream,
    server: tokio::task::JoinHandle<Closed>,
    gates: Vec<oneshot::Sender<()>>,
    stop: CancellationToken,
}

async fn served(gates: usize) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let client = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("connect");
    let (stream, _) = listener.accept().await.expect("accept");
    let (gates, receivers) = (0..gates).map(|_| oneshot::channel()).unzip();
    let limits = Limits { max_frame_bytes: 1024, max_idle: Duration::from_secs(60) };
    let stop = CancellationToken::new();
    let server = tokio::spawn(serve(stream, Echo { gates: receivers }, limits, stop.clone()));
    Served { client, server, gates, stop }
}

async fn receive(client: &mut TcpStream) -> String {
    let length = client.read_u32().await.expect("a length");
    let mut body = vec![0; length as usize];
    client.read_exact(&mut body).await.expect("a body");
    String::from_utf8(body).expect("text")
}

#[tokio::test]
async fn answers_keep_the_order_of_the_requests() {
    let mut served = served(3).await;
    for body in ["p-first.", "p-second", "read----", "w-later-", "last----"] {
        served.client.write_all(&framed(body.as_bytes())).await.expect("sent");
    }
    // The second produce is complete before the first.
    let first = served.gates.remove(0);
    served.gates.remove(0).send(()).expect("waits");
    first.send(()).expect("waits");
    assert_eq!(receive(&mut served.client).await, "p-first.");
    assert_eq!(receive(&mut served.client).await, "p-second");
    assert_eq!(receive(&mut served.client).await, "read----");
    served.gates.remove(0).send(()).expect("waits");
    assert_eq!(receive(&mut served.client).await, "w-later-");
    assert_eq!(receive(&mut served.client).await, "last----");
    drop(served.client);
    assert!(matches!(served.server.await.expect("no panic"), Closed::ByClient));
}

#[tokio::test]
async fn what_is_not_answered_leaves_no_gap() {
    let mut served = served(0).await;
    served.client.write_all(&framed(b"nothing-")).await.expect("sent");
    served.client.write_all(&framed(b"answer--")).await.expect("sent");
    assert_eq!(receive(&mut served.client).await, "answer--");
}

#[tokio::test]
async fn a_waiting_request_does_not_hide_that_the_client_is_gone() {
    let served = served(1).await;
    let mut client = served.client;
    client.write_all(&framed(b"w-forever")).await.expect("sent");
    drop(client);
    assert!(matches!(served.server.await.expect("no panic"), Closed::ByClient));
}

#[tokio::test]
async fn refused_requests_and_bad_lengths_close_the_connection() {
    let mut refused = served(0).await;
    refused.client.write_all(&framed(b"x-------")).await.expect("sent");
    assert!(matches!(refused.server.await.expect("no panic"), Closed::Refused(_)));
    for length in [-1i32, 0, 7, 1025, i32::MAX] {
        let mut bad = served(0).await;
        bad.client.write_all(&length.to_be_bytes()).await.expect("sent");
        assert!(matches!(bad.server.await.expect("no panic"), Closed::BadLength(_)), "{length}");
    }
}

#[tokio::test]
async fn a_panic_closes_its_own_connection_only() {
    let mut bad = served(0).await;
    bad.client.write_all(&framed(b"!-------")).await.expect("sent");
    assert!(bad.server.await.expect_err("panicked").is_panic());
    assert_eq!(bad.client.read(&mut [0; 1]).await.expect("closed"), 0);
    let mut good = served(0).await;
    good.client.write_all(&framed(b"answer--")).await.expect("sent");
    assert_eq!(receive(&mut good.client).await, "answer--");
    good.stop.cancel();
    assert!(matches!(good.server.await.expect("no panic"), Closed::Stopping));
}

#[test]
fn memory_follows_what_arrives_not_what_is_announced() {
    let mut input = Input::new(100 * 1024 * 1024);
    input.space().put_i32(100 * 1024 * 1024);
    assert!(input.space().capacity() < 3 * 1024 * 1024);
}

#[test]
fn frames_are_cut_wherever_the_reads_fall() {
    let mut stream = Vec::new();
    for body in ["12345678", "123456789"] {
        stream.extend_from_slice(&framed(body.as_bytes()));
    }
    let mut input = Input::new(100);
    let mut frames = Vec::new();
    for byte in stream {
        input.space().put_u8(byte);
        while let Some(frame) = input.take().expect("good lengths") {
            frames.push(frame);
        }
    }
    assert_eq!(frames, [&b"12345678"[..], b"123456789"]);
    assert_eq!(input.len(), 0);
}

#[test]
fn output_advances_over_chunks() {
    let mut output = Output::default();
    output.push(vec![Bytes::from_static(b"ab"), Bytes::new(), Bytes::from_static(b"cde")]);
    assert_eq!(output.remaining(), 5);
    output.advance(3);
    assert_eq!(output.chunk(), b"de");
    output.advance(2);
    assert!(!output.has_remaining());
}
