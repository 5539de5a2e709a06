//! The SDK's configuration, from the variables that Lambda sets.
//!
//! Lambda hands a function its execution role's credentials and its region in environment variables (Lambda developer
//! guide, "Defined runtime environment variables"), so nothing else is looked at: no profile, no metadata service. For
//! emulators, VPC endpoints and FIPS the variables of the AWS SDKs and Tools reference guide work as they do elsewhere:
//! `AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_STS`, `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL_ORGANIZATIONS`,
//! `AWS_IGNORE_CONFIGURED_ENDPOINT_URLS`, `AWS_USE_FIPS_ENDPOINT`, `AWS_USE_DUALSTACK_ENDPOINT`. Other roots of trust than those compiled
//! in are named by `SSL_CERT_FILE` and `SSL_CERT_DIR` (OpenSSL), or, where neither is set, by `AWS_CA_BUNDLE`.

use std::{collections::HashMap, env::split_paths, path::PathBuf, str::FromStr};

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_types::{
    SdkConfig,
    service_config::{LoadServiceConfig, ServiceConfigKey},
};
use contract::{ConfigurationFault, InvalidValue, Region};
use cross_account::Roots;

const ENDPOINT_URL: &str = "AWS_ENDPOINT_URL";
const SSL_CERT_FILE: &str = "SSL_CERT_FILE";
const SSL_CERT_DIR: &str = "SSL_CERT_DIR";
const AWS_CA_BUNDLE: &str = "AWS_CA_BUNDLE";

/// What the SDK needs to know.
///
/// # Errors
/// Every fault: a region or credentials that are missing, as they are when this runs outside of Lambda; or certificates
/// that cannot be read.
pub(crate) fn from_environment(
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<SdkConfig, Vec<ConfigurationFault>> {
    let required = |variable: &'static str| {
        lookup(variable)
            .filter(|value| !value.is_empty())
            .ok_or(ConfigurationFault::Missing(variable))
    };
    let region = required("AWS_REGION").and_then(|text| {
        Region::from_str(&text).map_err(|source| ConfigurationFault::Invalid {
            variable: "AWS_REGION",
            source,
        })
    });
    let key_id = required("AWS_ACCESS_KEY_ID");
    let secret = required("AWS_SECRET_ACCESS_KEY");
    let roots = roots(&lookup);
    let (region, key_id, secret, roots) = match (region, key_id, secret, roots) {
        (Ok(region), Ok(key_id), Ok(secret), Ok(roots)) => (region, key_id, secret, roots),
        (region, key_id, secret, roots) => {
            let faults = [region.err(), key_id.err(), secret.err(), roots.err()];
            return Err(faults.into_iter().flatten().collect());
        }
    };
    let token = lookup("AWS_SESSION_TOKEN").filter(|token| !token.is_empty());
    // They outlive the process: Lambda gives each environment its own, and ends it before they expire.
    let credentials = Credentials::new(key_id, secret, token, None, "Environment");

    let is_on =
        |variable: &str| lookup(variable).is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let mut builder = SdkConfig::builder()
        .region(aws_types::region::Region::new(region.to_string()))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(cross_account::http_client(roots))
        .sleep_impl(TokioSleep::new());
    builder.set_use_fips(is_on("AWS_USE_FIPS_ENDPOINT").then_some(true));
    builder.set_use_dual_stack(is_on("AWS_USE_DUALSTACK_ENDPOINT").then_some(true));
    if !is_on("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") {
        builder.set_endpoint_url(lookup(ENDPOINT_URL).filter(|url| !url.is_empty()));
        builder.set_service_config(Some(EndpointUrls::from_environment(&lookup)));
    }
    Ok(builder.build())
}

/// Whom to trust.
fn roots(lookup: impl Fn(&str) -> Option<String>) -> Result<Roots, ConfigurationFault> {
    let paths = |variable| -> Vec<PathBuf> {
        lookup(variable)
            .filter(|value| !value.is_empty())
            .map(|value| match variable {
                // A list, as PATH is; a separator at an end is common, and names nothing.
                SSL_CERT_DIR => split_paths(&value)
                    .filter(|folder| !folder.as_os_str().is_empty())
                    .collect(),
                _ => vec![value.into()],
            })
            .unwrap_or_default()
    };
    let (file, folders) = (paths(SSL_CERT_FILE), paths(SSL_CERT_DIR));
    let (variable, files) = match (file.is_empty(), folders.is_empty()) {
        (false, _) => (SSL_CERT_FILE, file),
        (true, false) => (SSL_CERT_DIR, file),
        (true, true) => (AWS_CA_BUNDLE, paths(AWS_CA_BUNDLE)),
    };
    if files.is_empty() && folders.is_empty() {
        return Ok(Roots::default());
    }
    Roots::read(&files, &folders).map_err(|error| {
        // Both may be set; the path tells whose it is.
        let variable = if files.iter().any(|file| file == error.path()) {
            variable
        } else {
            SSL_CERT_DIR
        };
        let path = error.path().to_string_lossy();
        let problem = format!("cannot be used: {}", error.problem());
        ConfigurationFault::Invalid {
            variable,
            source: InvalidValue::new("certificates", &path, problem),
        }
    })
}

/// The endpoints of single services.
#[derive(Debug)]
struct EndpointUrls(HashMap<&'static str, String>);

impl EndpointUrls {
    fn from_environment(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let url = |service: &'static str| {
            let url = lookup(&format!("{ENDPOINT_URL}_{}", service.to_uppercase()))?;
            (!url.is_empty()).then_some((service, url))
        };
        // By the ids of the services, as the SDK names them.
        let services = ["STS", "S3", "Organizations"];
        Self(services.into_iter().filter_map(url).collect())
    }
}

impl LoadServiceConfig for EndpointUrls {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let url = self.0.get(key.service_id()).cloned();
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

    fn read(more: &[(&str, &str)]) -> Result<SdkConfig, Vec<ConfigurationFault>> {
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
    fn what_lambda_sets_is_enough() {
        let config = read(&[]).unwrap();
        assert_eq!(config.region().unwrap().as_ref(), "eu-central-1");
        assert_eq!(config.endpoint_url(), None);
        assert_eq!(endpoint_of(&config, "STS"), None);
        assert!(config.credentials_provider().is_some());
    }

    #[test]
    fn every_missing_variable_is_a_fault() {
        let faults = from_environment(|_| None).unwrap_err();
        assert_eq!(faults.len(), 3, "{faults:?}");
        let faults = read(&[("AWS_REGION", "moon-east-1")]).unwrap_err();
        assert!(faults[0].to_string().contains("AWS_REGION"), "{faults:?}");
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
    fn certificates_that_cannot_be_read_are_a_fault_of_the_variable_that_names_them() {
        let fault = |variables: &[(&str, &str)]| read(variables).unwrap_err()[0].to_string();
        assert_eq!(
            fault(&[("AWS_CA_BUNDLE", "Cargo.toml")]),
            "environment variable AWS_CA_BUNDLE: certificates `Cargo.toml` cannot be used: there is no usable \
             certificate in it"
        );
        let missing = fault(&[("SSL_CERT_FILE", "/nonexistent/ca.pem")]);
        assert!(
            missing.contains("SSL_CERT_FILE: certificates `/nonexistent/ca.pem`"),
            "{missing}"
        );
        assert!(missing.contains("No such file"), "{missing}");
        let folder = fault(&[("SSL_CERT_DIR", "/nonexistent:src")]);
        assert!(
            folder.contains("SSL_CERT_DIR: certificates `/nonexistent`"),
            "{folder}"
        );
        // It stands back where one of the others is set, and an empty one counts as not set.
        let both = [
            ("AWS_CA_BUNDLE", "/nonexistent/bundle.pem"),
            ("SSL_CERT_FILE", "Cargo.toml"),
        ];
        assert!(fault(&both).contains("SSL_CERT_FILE"));
        assert!(
            fault(&[("SSL_CERT_DIR", ":/nonexistent:")]).contains("certificates `/nonexistent`")
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
