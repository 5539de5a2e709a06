//! An AWS on loopback whose responses the test defines.

use std::{
    collections::HashMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// A server that runs until the process ends.
pub(crate) struct FakeAws {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// The request line and the headers.
    pub(crate) head: String,
    pub(crate) body: String,
}

pub(crate) struct Response {
    status: &'static str,
    header: String,
    body: String,
}

impl FakeAws {
    /// `respond` gets the request and the previous ones.
    pub(crate) fn start(
        respond: impl Fn(&Request, &[Request]) -> Response + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let request = Request::read(&mut stream);
                let mut seen = seen.lock().unwrap();
                let response = respond(&request, &seen);
                seen.push(request);
                response.write(&mut stream);
            }
        });
        Self { url, requests }
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// The `Action` of each request, in order.
    pub(crate) fn actions(&self) -> Vec<String> {
        let requests = self.requests();
        requests
            .iter()
            .map(|request| request.field("Action"))
            .collect()
    }
}

impl Request {
    fn read(stream: &mut TcpStream) -> Self {
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while reader.read_line(&mut head).unwrap() > 2 {}
        let length = head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .map_or(0, |(_, value)| value.parse().unwrap());
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        Self {
            head,
            body: String::from_utf8(body).unwrap(),
        }
    }

    /// A field of a request in the Query protocol (IAM, STS, CloudFormation); empty if it is missing.
    pub(crate) fn field(&self, name: &str) -> String {
        let fields: HashMap<_, _> = form_urlencoded::parse(self.body.as_bytes()).collect();
        fields
            .get(name)
            .map(ToString::to_string)
            .unwrap_or_default()
    }
}

impl Response {
    pub(crate) fn ok(body: impl Into<String>) -> Self {
        Self {
            status: "200 OK",
            header: String::new(),
            body: body.into(),
        }
    }

    /// The response to an action of the Query protocol.
    pub(crate) fn result(action: &str, content: &str) -> Self {
        Self::ok(format!(
            "<{action}Response><{action}Result>{content}</{action}Result></{action}Response>"
        ))
    }

    /// An error in the Query protocol.
    pub(crate) fn error(code: &str, message: &str) -> Self {
        Self {
            status: "403 Forbidden",
            ..Self::ok(format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
                 <RequestId>r-1</RequestId></ErrorResponse>"
            ))
        }
    }

    /// An error in S3's protocol.
    pub(crate) fn s3_error(code: &str, message: &str) -> Self {
        Self {
            status: "403 Forbidden",
            ..Self::ok(format!(
                "<Error><Code>{code}</Code><Message>{message}</Message></Error>"
            ))
        }
    }

    /// An error in Lambda's protocol.
    pub(crate) fn lambda_error(status: &'static str, code: &str) -> Self {
        Self {
            status,
            ..Self::ok("{\"Message\": \"so it is\"}").with_header("x-amzn-errortype", code)
        }
    }

    pub(crate) fn with_header(self, name: &str, value: &str) -> Self {
        Self {
            header: format!("{name}: {value}\r\n"),
            ..self
        }
    }

    fn write(&self, stream: &mut TcpStream) {
        let Self {
            status,
            header,
            body,
        } = self;
        let length = body.len();
        let text = format!(
            "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\nx-amzn-requestid: r-1\r\n\
             {header}\r\n{body}"
        );
        stream.write_all(text.as_bytes()).unwrap();
    }
}
