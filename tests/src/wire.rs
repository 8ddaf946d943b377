//! Typed requests, one at a time, to one broker.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use ottla_protocol::frame;
use ottla_protocol::messages::FindCoordinatorRequest;
use ottla_protocol::messages::find_coordinator_response::Coordinator;
use ottla_protocol::{Request, StrBytes};

/// A broker that does not answer within this time counts as gone.
const PATIENCE: Duration = Duration::from_secs(5);

/// A connection to `localhost:port`.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    correlation_id: i32,
}

impl Wire {
    /// Connects.
    ///
    /// # Errors
    /// Nobody listens.
    pub fn connect(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("localhost", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, correlation_id: 0 })
    }

    /// Sends a request and waits for its answer.
    ///
    /// # Errors
    /// The connection broke, or the answer did not come or does not decode.
    pub fn call<Q: Request>(&mut self, version: i16, request: &Q) -> io::Result<Q::Response> {
        self.send(version, request)?;
        self.receive::<Q>(version)
    }

    /// Sends a request; its answer is yet to be received.
    ///
    /// # Errors
    /// The connection broke.
    pub fn send<Q: Request>(&mut self, version: i16, request: &Q) -> io::Result<()> {
        self.correlation_id += 1;
        let frame = frame::encode_request(self.correlation_id, Some("wire"), version, request)
            .map_err(io::Error::other)?;
        self.stream.write_all(&frame)
    }

    /// Waits for the answer to a request that was sent.
    ///
    /// # Errors
    /// The connection broke, or the answer did not come or does not decode.
    pub fn receive<Q: Request>(&mut self, version: i16) -> io::Result<Q::Response> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let length = usize::try_from(u32::from_be_bytes(length)).map_err(io::Error::other)?;
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        let (_, response) =
            frame::decode_response(version, body.into()).map_err(io::Error::other)?;
        Ok(response)
    }

    /// Who coordinates a group, as far as this broker knows.
    ///
    /// # Errors
    /// As [`Wire::call`].
    pub fn find_coordinator(&mut self, group: &str) -> io::Result<Coordinator> {
        let request = FindCoordinatorRequest::default()
            .with_coordinator_keys(vec![StrBytes::from_string(group.to_owned())]);
        let response = self.call(4, &request)?;
        response.coordinators.into_iter().next().ok_or_else(|| io::Error::other("an empty answer"))
    }
}
