//! Frames as no client would send them.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};

/// A broker that neither answers nor closes within this time hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection that sends whatever it is told to.
#[derive(Debug)]
pub struct Raw(TcpStream);

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A frame, without its length.
    Frame(Bytes),
    /// The broker closed the connection.
    Closed,
}

impl Raw {
    /// Connects to `localhost:port`.
    #[must_use]
    pub fn connect(port: u16) -> Self {
        let connection = TcpStream::connect(("localhost", port)).expect("the broker listens");
        connection.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        connection.set_write_timeout(Some(PATIENCE)).expect("a timeout can be set");
        Self(connection)
    }

    /// Sends bytes as they are; a broker that closes meanwhile is no fault of the sender.
    pub fn send(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(bytes);
    }

    /// No more will be sent.
    pub fn end(&self) {
        let _ = self.0.shutdown(std::net::Shutdown::Write);
    }

    /// Waits for a frame or the end of the connection.
    #[must_use]
    pub fn answer(&mut self) -> Answer {
        let mut length = [0; 4];
        match self.0.read_exact(&mut length) {
            Ok(()) => {}
            Err(error) if closed(&error) => return Answer::Closed,
            Err(error) => panic!("the broker neither answers nor closes: {error}"),
        }
        let length = usize::try_from(u32::from_be_bytes(length)).expect("32 bits fit");
        assert!(length < 16 << 20, "an answer of {length} bytes");
        let mut frame = vec![0; length];
        // Closed with our bytes unread, the connection is reset, and what was under way is lost.
        match self.0.read_exact(&mut frame) {
            Ok(()) => Answer::Frame(frame.into()),
            Err(error) if closed(&error) => Answer::Closed,
            Err(error) => panic!("half a frame: {error}"),
        }
    }
}

fn closed(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe)
}

/// A request frame with its length: header version 1 (`flexible`: 2), then `body`.
#[must_use]
pub fn request(api_key: i16, version: i16, flexible: bool, body: &[u8]) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_i16(api_key);
    frame.put_i16(version);
    frame.put_i32(7);
    frame.put_i16(3);
    frame.put_slice(b"raw");
    if flexible {
        frame.put_u8(0);
    }
    frame.put_slice(body);
    with_length(&frame)
}

/// Bytes behind their length.
#[must_use]
pub fn with_length(bytes: &[u8]) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_u32(u32::try_from(bytes.len()).expect("a small frame"));
    frame.put_slice(bytes);
    frame.freeze()
}
