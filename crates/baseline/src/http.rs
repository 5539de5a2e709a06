//! The part of HTTP/1.1 that the benchmark's services need: sequential requests on a kept connection, and responses with a
//! `content-length`.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    str,
};

use memchr::memmem;

/// An open connection.
pub(crate) struct Connection {
    stream: TcpStream,
    /// The last response.
    buffer: Vec<u8>,
}

/// A response with status 200 or 202.
pub(crate) struct Response<'a> {
    head: &'a str,
    /// The body.
    pub(crate) body: &'a [u8],
}

impl Connection {
    /// Connects to `HOST:PORT`.
    pub(crate) fn open(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::new(),
        })
    }

    /// Sends a request and reads the response.
    pub(crate) fn exchange(&mut self, request: &[u8]) -> io::Result<Response<'_>> {
        self.stream.write_all(request)?;
        self.buffer.clear();
        let mut chunk = [0; 16_384];
        let end = loop {
            let length = self.stream.read(&mut chunk)?;
            if length == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.buffer.extend_from_slice(&chunk[..length]);
            if let Some(end) = memmem::find(&self.buffer, b"\r\n\r\n") {
                break end;
            }
        };
        let start = end + 4;
        let length: usize = header(text(&self.buffer[..end])?, "content-length")?
            .parse()
            .map_err(io::Error::other)?;
        let missing = (start + length).saturating_sub(self.buffer.len());
        self.buffer.reserve_exact(missing);
        let rest = (&self.stream).take(missing as u64);
        if { rest }.read_to_end(&mut self.buffer)? != missing {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let head = text(&self.buffer[..end])?;
        let body = &self.buffer[start..];
        if !head.starts_with("HTTP/1.1 20") {
            return Err(io::Error::other(format!(
                "{head}\n{}",
                String::from_utf8_lossy(body)
            )));
        }
        Ok(Response { head, body })
    }
}

impl Response<'_> {
    /// The value of a header, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> io::Result<&str> {
        header(self.head, name)
    }
}

fn header<'a>(head: &'a str, name: &str) -> io::Result<&'a str> {
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
        .ok_or_else(|| io::Error::other(format!("a response without {name}")))
}

/// Received bytes as text.
pub(crate) fn text(bytes: &[u8]) -> io::Result<&str> {
    str::from_utf8(bytes).map_err(io::Error::other)
}
