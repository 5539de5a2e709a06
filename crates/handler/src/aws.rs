//! Configures the SDK from the variables that Lambda sets.
//!
//! Lambda hands a function its execution role's credentials and its region in environment variables (Lambda developer
//! guide, "Defined runtime environment variables"), so profiles and metadata services are not read. For emulators, VPC
//! endpoints and FIPS, these variables work as documented in the AWS SDKs and Tools reference guide:
//! `AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_STS`, `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL_ORGANIZATIONS`,
//! `AWS_IGNORE_CONFIGURED_ENDPOINT_URLS`, `AWS_USE_FIPS_ENDPOINT`, `AWS_USE_DUALSTACK_ENDPOINT`.
//! `SSL_CERT_FILE` and `SSL_CERT_DIR` (OpenSSL) or, if neither is set, `AWS_CA_BUNDLE` replace the compiled-in roots.
//!
//! There are two differences. An endpoint without TLS must be on loopback, unless `ALLOW_HTTP_ENDPOINT` is `true`, because
//! the network could read a session's token. Proxies are not supported; a configured one is logged.

use std::{collections::HashMap, env::split_paths, net::IpAddr, path::PathBuf, str::FromStr};

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_types::{
    SdkConfig,
    service_config::{LoadServiceConfig, ServiceConfigKey},
};
use contract::{ConfigurationProblem, InvalidValue, Region};
use cross_account::Roots;

const ENDPOINT_URL: &str = "AWS_ENDPOINT_URL";
/// The variables for single services, by the SDK's service ID.
const SERVICE_ENDPOINT_URLS: [(&str, &str); 3] = [
    ("STS", "AWS_ENDPOINT_URL_STS"),
    ("S3", "AWS_ENDPOINT_URL_S3"),
    ("Organizations", "AWS_ENDPOINT_URL_ORGANIZATIONS"),
];
const ALLOW_HTTP_ENDPOINT: &str = "ALLOW_HTTP_ENDPOINT";
const SSL_CERT_FILE: &str = "SSL_CERT_FILE";
const SSL_CERT_DIR: &str = "SSL_CERT_DIR";
const AWS_CA_BUNDLE: &str = "AWS_CA_BUNDLE";

/// Builds the SDK's configuration.
///
/// # Errors
/// All problems: the region or credentials are missing, as outside Lambda; certificates cannot be read; or an endpoint is
/// not a URL or has no TLS.
pub(crate) fn from_environment(
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<SdkConfig, Vec<ConfigurationProblem>> {
    let required = |variable: &'static str| {
        lookup(variable)
            .filter(|value| !value.is_empty())
            .ok_or(ConfigurationProblem::Missing(variable))
    };
    let region = required("AWS_REGION").and_then(|text| {
        Region::from_str(&text).map_err(|source| ConfigurationProblem::Invalid {
            variable: "AWS_REGION",
            source,
        })
    });
    let key_id = required("AWS_ACCESS_KEY_ID");
    let secret = required("AWS_SECRET_ACCESS_KEY");
    let roots = roots(&lookup);
    let endpoints = Endpoints::from_environment(&lookup);
    let (region, key_id, secret, roots, endpoints) =
        match (region, key_id, secret, roots, endpoints) {
            (Ok(region), Ok(key_id), Ok(secret), Ok(roots), Ok(endpoints)) => {
                (region, key_id, secret, roots, endpoints)
            }
            (region, key_id, secret, roots, endpoints) => {
                let problems = [region.err(), key_id.err(), secret.err(), roots.err()];
                let mut problems: Vec<_> = problems.into_iter().flatten().collect();
                problems.extend(endpoints.err().unwrap_or_default());
                return Err(problems);
            }
        };
    let token = lookup("AWS_SESSION_TOKEN").filter(|token| !token.is_empty());
    // Without expiry: Lambda ends an execution environment before its credentials expire.
    let credentials = Credentials::new(key_id, secret, token, None, "Environment");

    let is_on = |variable: &str| is_on(&lookup, variable);
    let mut builder = SdkConfig::builder()
        .region(aws_types::region::Region::new(region.to_string()))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(cross_account::http_client(roots))
        .sleep_impl(TokioSleep::new());
    builder.set_use_fips(is_on("AWS_USE_FIPS_ENDPOINT").then_some(true));
    builder.set_use_dual_stack(is_on("AWS_USE_DUALSTACK_ENDPOINT").then_some(true));
    builder.set_endpoint_url(endpoints.all.clone());
    builder.set_service_config(Some(endpoints));
    Ok(builder.build())
}

/// The variable that configures a proxy, if any.
pub(crate) fn unsupported_proxy(lookup: impl Fn(&str) -> Option<String>) -> Option<&'static str> {
    let variables = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    variables
        .into_iter()
        .find(|variable| lookup(variable).is_some_and(|value| !value.is_empty()))
}

fn is_on(lookup: impl Fn(&str) -> Option<String>, variable: &str) -> bool {
    lookup(variable).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

/// TLS trust anchors.
fn roots(lookup: impl Fn(&str) -> Option<String>) -> Result<Roots, ConfigurationProblem> {
    let paths = |variable| -> Vec<PathBuf> {
        lookup(variable)
            .filter(|value| !value.is_empty())
            .map(|value| match variable {
                // A list like PATH, in which separators at the ends are common.
                SSL_CERT_DIR => split_paths(&value)
                    .filter(|directory| !directory.as_os_str().is_empty())
                    .collect(),
                _ => vec![value.into()],
            })
            .unwrap_or_default()
    };
    let (file, directories) = (paths(SSL_CERT_FILE), paths(SSL_CERT_DIR));
    let (variable, files) = match (file.is_empty(), directories.is_empty()) {
        (false, _) => (SSL_CERT_FILE, file),
        (true, false) => (SSL_CERT_DIR, file),
        (true, true) => (AWS_CA_BUNDLE, paths(AWS_CA_BUNDLE)),
    };
    if files.is_empty() && directories.is_empty() {
        return Ok(Roots::default());
    }
    Roots::read(&files, &directories).map_err(|error| {
        // If both are set, the path belongs to one of them.
        let variable = if files.iter().any(|file| file == error.path()) {
            variable
        } else {
            SSL_CERT_DIR
        };
        let path = error.path().to_string_lossy();
        let problem = format!("cannot be used: {}", error.problem());
        ConfigurationProblem::Invalid {
            variable,
            source: InvalidValue::new("certificates", &path, problem),
        }
    })
}

/// Custom endpoints.
#[derive(Debug, Default)]
struct Endpoints {
    /// The endpoint of all services.
    all: Option<String>,
    /// The endpoints of single services, by service ID.
    services: HashMap<&'static str, String>,
}

impl Endpoints {
    fn from_environment(
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Vec<ConfigurationProblem>> {
        let mut endpoints = Self::default();
        let mut problems = Vec::new();
        if is_on(&lookup, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") {
            return Ok(endpoints);
        }
        let allows_http = is_on(&lookup, ALLOW_HTTP_ENDPOINT);
        let mut url = |variable| {
            let url = lookup(variable).filter(|url| !url.is_empty())?;
            match check_endpoint(&url, allows_http) {
                Ok(()) => Some(url),
                Err(source) => {
                    problems.push(ConfigurationProblem::Invalid { variable, source });
                    None
                }
            }
        };
        endpoints.all = url(ENDPOINT_URL);
        for (service, variable) in SERVICE_ENDPOINT_URLS {
            endpoints
                .services
                .extend(url(variable).map(|url| (service, url)));
        }
        if problems.is_empty() {
            Ok(endpoints)
        } else {
            Err(problems)
        }
    }
}

fn check_endpoint(url: &str, allows_http: bool) -> Result<(), InvalidValue> {
    let invalid = |problem| InvalidValue::new("endpoint", url, problem);
    let uri: http::Uri = url.parse().map_err(|_| invalid("is not a URL"))?;
    match uri.scheme_str() {
        Some("https") => Ok(()),
        Some("http") if allows_http || uri.host().is_some_and(is_loopback) => Ok(()),
        Some("http") => Err(
            invalid("has no TLS; the network could read the session token").with_hint(
                "use `https://`, or set ALLOW_HTTP_ENDPOINT to `true` if the network is trusted",
            ),
        ),
        _ => Err(invalid("does not start with `https://` or `http://`")),
    }
}

/// Returns true if `host`, the host of a URL, is this machine.
fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || address
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
}

impl LoadServiceConfig for Endpoints {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let url = self.services.get(key.service_id()).cloned();
        url.filter(|_| key.env() == ENDPOINT_URL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAMBDA: [(&str, &str); 4] = [
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "ASIAEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "very-secret-example"),
        ("AWS_SESSION_TOKEN", "session-token-example"),
    ];

    fn read(more: &[(&str, &str)]) -> Result<SdkConfig, Vec<ConfigurationProblem>> {
        let variables: HashMap<&str, &str> = LAMBDA.iter().chain(more).copied().collect();
        from_environment(|name| variables.get(name).map(|&value| value.to_owned()))
    }

    fn endpoint_of(config: &SdkConfig, service: &str) -> Option<String> {
        let key = ServiceConfigKey::builder()
            .service_id(service)
            .env(ENDPOINT_URL)
            .profile("endpoint_url")
            .build()
            .unwrap();
        config.service_config()?.load_config(key)
    }

    #[test]
    fn the_variables_of_lambda_are_enough() {
        let config = read(&[]).unwrap();
        assert_eq!(config.region().unwrap().as_ref(), "eu-central-1");
        assert_eq!(config.endpoint_url(), None);
        assert_eq!(endpoint_of(&config, "STS"), None);
        assert!(config.credentials_provider().is_some());
    }

    #[test]
    fn every_missing_variable_is_reported() {
        let problems = from_environment(|_| None).unwrap_err();
        assert_eq!(problems.len(), 3, "{problems:?}");
        let problems = read(&[("AWS_REGION", "moon-east-1")]).unwrap_err();
        assert!(
            problems[0].to_string().contains("AWS_REGION"),
            "{problems:?}"
        );
    }

    #[test]
    fn endpoints_by_the_rules_of_the_sdks() {
        let both = [
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
            ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:2"),
            ("AWS_ENDPOINT_URL_ORGANIZATIONS", "http://127.0.0.1:3"),
        ];
        let config = read(&both).unwrap();
        assert_eq!(config.endpoint_url(), Some("http://127.0.0.1:1"));
        assert_eq!(endpoint_of(&config, "S3").unwrap(), "http://127.0.0.1:2");
        let organizations = endpoint_of(&config, "Organizations").unwrap();
        assert_eq!(organizations, "http://127.0.0.1:3");
        assert_eq!(endpoint_of(&config, "STS"), None);

        let ignored = ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
        let config = read(&[both[0], both[1], both[2], ignored]).unwrap();
        assert_eq!(config.endpoint_url(), None);
        assert_eq!(endpoint_of(&config, "S3"), None);
    }

    #[test]
    fn an_endpoint_without_tls_is_on_loopback_or_allowed() {
        let problem = |variables: &[(&str, &str)]| read(variables).unwrap_err()[0].to_string();
        for url in [
            "http://127.0.0.1:4566",
            "http://127.1.2.3",
            "http://[::1]:4566/path",
            "http://localhost:4566",
            "HTTP://LocalHost",
            "https://vpce-1.sts.eu-central-1.vpce.amazonaws.com",
        ] {
            assert!(read(&[("AWS_ENDPOINT_URL", url)]).is_ok(), "{url}");
        }
        for url in [
            "http://10.0.0.1",
            "http://sts.eu-central-1.amazonaws.com",
            "http://localhost.example.com",
            "http://127.0.0.1.example.com",
            "http://127.0.0.1@example.com",
            "http://[2001:db8::1]",
        ] {
            for variable in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_ORGANIZATIONS"] {
                let problem = problem(&[(variable, url)]);
                assert!(
                    problem.starts_with(&format!("environment variable {variable}: endpoint `")),
                    "{problem}"
                );
                assert!(problem.contains("has no TLS"), "{problem}");
                assert!(read(&[(variable, url), ("ALLOW_HTTP_ENDPOINT", "true")]).is_ok());
                assert!(read(&[(variable, url), ("ALLOW_HTTP_ENDPOINT", "false")]).is_err());
                assert!(
                    read(&[
                        (variable, url),
                        ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
                    ])
                    .is_ok()
                );
            }
        }
        assert!(
            problem(&[("AWS_ENDPOINT_URL_S3", "not a url")]).ends_with("`not a url` is not a URL")
        );
        for url in ["localhost:4566", "ftp://127.0.0.1"] {
            let problem = problem(&[("AWS_ENDPOINT_URL_S3", url)]);
            assert!(
                problem.ends_with("does not start with `https://` or `http://`"),
                "{problem}"
            );
        }
        let both = [
            ("AWS_ENDPOINT_URL_S3", "http://10.0.0.1"),
            ("AWS_ENDPOINT_URL_STS", "http://10.0.0.1"),
        ];
        assert_eq!(read(&both).unwrap_err().len(), 2);
    }

    #[test]
    fn a_proxy_is_reported_by_its_variable() {
        let proxy = |name: &'static str, value: &'static str| {
            unsupported_proxy(move |variable| (variable == name).then(|| value.to_owned()))
        };
        assert_eq!(proxy("https_proxy", "http://10.0.0.1"), Some("https_proxy"));
        assert_eq!(proxy("HTTPS_PROXY", ""), None);
        assert_eq!(proxy("NO_PROXY", "*"), None);
    }

    #[test]
    fn unreadable_certificates_are_reported_with_their_variable() {
        let problem = |variables: &[(&str, &str)]| read(variables).unwrap_err()[0].to_string();
        assert_eq!(
            problem(&[("AWS_CA_BUNDLE", "Cargo.toml")]),
            "environment variable AWS_CA_BUNDLE: certificates `Cargo.toml` cannot be used: it contains no \
             usable certificate"
        );
        let missing = problem(&[("SSL_CERT_FILE", "/nonexistent/ca.pem")]);
        assert!(
            missing.contains("SSL_CERT_FILE: certificates `/nonexistent/ca.pem`"),
            "{missing}"
        );
        assert!(missing.contains("No such file"), "{missing}");
        let directory = problem(&[("SSL_CERT_DIR", "/nonexistent:src")]);
        assert!(
            directory.contains("SSL_CERT_DIR: certificates `/nonexistent`"),
            "{directory}"
        );
        // The other variables take precedence, and an empty one counts as not set.
        let both = [
            ("AWS_CA_BUNDLE", "/nonexistent/bundle.pem"),
            ("SSL_CERT_FILE", "Cargo.toml"),
        ];
        assert!(problem(&both).contains("SSL_CERT_FILE"));
        assert!(
            problem(&[("SSL_CERT_DIR", ":/nonexistent:")]).contains("certificates `/nonexistent`")
        );
        assert!(
            read(&[
                ("AWS_CA_BUNDLE", ""),
                ("SSL_CERT_FILE", ""),
                ("SSL_CERT_DIR", "")
            ])
            .is_ok()
        );
    }

    #[test]
    fn nothing_secret_is_shown() {
        let shown = format!("{:?}", read(&[]).unwrap());
        assert!(!shown.contains("very-secret-example"), "{shown}");
        assert!(!shown.contains("session-token-example"), "{shown}");
    }
}
