//! STS and S3: requests of the same size as the SDK's, and the needed parts of the responses.

use std::io;

use memchr::memmem;

use crate::{
    http::{Connection, text},
    targets::Target,
    variable,
};

/// A dummy signature; the benchmark's services do not check it.
const SIGNATURE: &str = "SignedHeaders=host;x-amz-date;x-amz-security-token, \
    Signature=0000000000000000000000000000000000000000000000000000000000000000";

/// The session policy, escaped as a form value.
const POLICY: &str = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C\
    %22Action%22%3A%22s3%3AListAllMyBuckets%22%2C%22Resource%22%3A%22%2A%22%7D%5D%7D";

/// The address of the services, and the caller's credentials.
pub(crate) struct Services {
    host: String,
    key: String,
    token: String,
    region: String,
}

/// A session of a target's role.
pub(crate) struct Session {
    key: String,
    token: String,
}

impl Services {
    pub(crate) fn from_environment() -> io::Result<Self> {
        let endpoint = variable("AWS_ENDPOINT_URL")?;
        Ok(Self {
            host: endpoint.trim_start_matches("http://").to_owned(),
            key: variable("AWS_ACCESS_KEY_ID")?,
            token: variable("AWS_SESSION_TOKEN")?,
            region: variable("AWS_REGION")?,
        })
    }

    pub(crate) fn connect(&self) -> io::Result<Connection> {
        Connection::open(&self.host)
    }

    pub(crate) fn assume_role(
        &self,
        connection: &mut Connection,
        target: &Target,
    ) -> io::Result<Session> {
        let form = format!(
            "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A{}%3Arole%2F{}\
             &RoleSessionName=list-s3-buckets&Policy={POLICY}",
            target.account, target.role
        );
        let request = format!(
            "POST / HTTP/1.1\r\nhost: {}\r\ncontent-type: application/x-www-form-urlencoded\r\n{}content-length: {}\r\n\
             \r\n{form}",
            self.host,
            self.authorization("sts", &self.key, &self.token),
            form.len()
        );
        let response = connection.exchange(request.as_bytes())?;
        Ok(Session {
            key: element(response.body, "AccessKeyId")?.to_owned(),
            token: element(response.body, "SessionToken")?.to_owned(),
        })
    }

    /// Appends the names as a JSON list, escaped for a JSON string.
    pub(crate) fn list_buckets(
        &self,
        connection: &mut Connection,
        session: &Session,
        names: &mut String,
    ) -> io::Result<()> {
        const BEGIN: &[u8] = b"<Name>";
        let request = format!(
            "GET /?max-buckets=10000&x-id=ListBuckets HTTP/1.1\r\nhost: {}\r\n{}\r\n",
            self.host,
            self.authorization("s3", &session.key, &session.token)
        );
        let response = connection.exchange(request.as_bytes())?;
        names.push('[');
        let mut separator = "";
        for start in memmem::find_iter(response.body, BEGIN) {
            let rest = &response.body[start + BEGIN.len()..];
            let end = memchr::memchr(b'<', rest).unwrap_or(rest.len());
            names.push_str(separator);
            names.push_str(r#"\""#);
            names.push_str(text(&rest[..end])?);
            names.push_str(r#"\""#);
            separator = ",";
        }
        names.push(']');
        Ok(())
    }

    fn authorization(&self, service: &str, key: &str, token: &str) -> String {
        format!(
            "x-amz-date: 20260101T000000Z\r\nx-amz-security-token: {token}\r\n\
             authorization: AWS4-HMAC-SHA256 Credential={key}/20260101/{}/{service}/aws4_request, {SIGNATURE}\r\n",
            self.region
        )
    }
}

/// The text of the first element of this name.
fn element<'a>(document: &'a [u8], name: &str) -> io::Result<&'a str> {
    let document = text(document)?;
    document
        .split_once(&format!("<{name}>"))
        .and_then(|(_, rest)| rest.split_once('<'))
        .map(|(value, _)| value)
        .ok_or_else(|| io::Error::other(format!("a response without {name}")))
}
