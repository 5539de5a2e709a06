//! Regions and their partitions.

use std::{fmt, str::FromStr};

use crate::{InvalidValue, string_type::string_type};

/// The name of an AWS region, such as `eu-central-1`.
///
/// Validated by the patterns of the partitions in the SDKs' `partitions.json` (botocore 1.43, `regionRegex`) and not by a
/// list, so that a deployed function needs no new release for a new region. A variables file is also compared with
/// [`Region::KNOWN`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region(String);

string_type!(Region, pattern: r"^(us|eu|ap|sa|ca|me|af|il|mx|cn|eusc)(-(gov|iso|isob|isoe|isof|de))?-[a-z]+-[0-9]{1,2}$");

/// A partition: a group of regions with its own accounts, IAM and ARNs (AWS General Reference, "Amazon Resource
/// Names").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Partition {
    /// The commercial regions.
    Aws,
    /// China.
    AwsCn,
    /// GovCloud (US).
    AwsUsGov,
    /// The European Sovereign Cloud.
    AwsEusc,
    /// Isolated (US).
    AwsIso,
    /// Isolated, secret (US).
    AwsIsoB,
    /// Isolated (Europe).
    AwsIsoE,
    /// Isolated (US), the third.
    AwsIsoF,
}

impl Partition {
    /// Each partition with its name in ARNs and the prefixes of its regions' names. The commercial partition is last, because
    /// its prefixes also match other regions.
    const ALL: [(Self, &'static str, &'static [&'static str]); 8] = [
        (Self::AwsCn, "aws-cn", &["cn-"]),
        (Self::AwsUsGov, "aws-us-gov", &["us-gov-"]),
        (Self::AwsEusc, "aws-eusc", &["eusc-de-"]),
        (Self::AwsIso, "aws-iso", &["us-iso-"]),
        (Self::AwsIsoB, "aws-iso-b", &["us-isob-"]),
        (Self::AwsIsoE, "aws-iso-e", &["eu-isoe-"]),
        (Self::AwsIsoF, "aws-iso-f", &["us-isof-"]),
        (
            Self::Aws,
            "aws",
            &[
                "us-", "eu-", "ap-", "sa-", "ca-", "me-", "af-", "il-", "mx-",
            ],
        ),
    ];

    /// The name in ARNs: `aws`, `aws-cn`, ….
    pub fn as_str(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(partition, ..)| *partition == self)
            .map_or("aws", |(_, name, _)| name)
    }

    /// The partition of a region, and the rest of its name after the prefix.
    fn of_region(region: &str) -> Option<(Self, &str)> {
        Self::ALL.iter().find_map(|(partition, _, prefixes)| {
            prefixes
                .iter()
                .find_map(|prefix| Some((*partition, region.strip_prefix(prefix)?)))
        })
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Partition {
    type Err = InvalidValue;

    /// # Errors
    /// `text` is not the name of a partition.
    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        Self::ALL
            .iter()
            .find(|(_, name, _)| *name == text)
            .map(|(partition, ..)| *partition)
            .ok_or_else(|| InvalidValue::new("partition", text, "is not an AWS partition"))
    }
}

impl Region {
    /// The regions of all partitions (botocore 1.44.5, `partitions.json`), to detect typing errors. A newer region may be
    /// missing.
    pub const KNOWN: [&'static str; 48] = [
        "us-east-1",
        "us-east-2",
        "us-west-1",
        "us-west-2",
        "af-south-1",
        "ap-east-1",
        "ap-east-2",
        "ap-northeast-1",
        "ap-northeast-2",
        "ap-northeast-3",
        "ap-south-1",
        "ap-south-2",
        "ap-southeast-1",
        "ap-southeast-2",
        "ap-southeast-3",
        "ap-southeast-4",
        "ap-southeast-5",
        "ap-southeast-6",
        "ap-southeast-7",
        "ca-central-1",
        "ca-west-1",
        "eu-central-1",
        "eu-central-2",
        "eu-north-1",
        "eu-south-1",
        "eu-south-2",
        "eu-west-1",
        "eu-west-2",
        "eu-west-3",
        "il-central-1",
        "me-central-1",
        "me-south-1",
        "me-west-1",
        "mx-central-1",
        "sa-east-1",
        "sa-west-1",
        "cn-north-1",
        "cn-northwest-1",
        "us-gov-east-1",
        "us-gov-west-1",
        "eusc-de-east-1",
        "us-iso-east-1",
        "us-iso-west-1",
        "us-isob-east-1",
        "us-isob-west-1",
        "eu-isoe-west-1",
        "us-isof-east-1",
        "us-isof-south-1",
    ];

    /// `us-east-1`, the default of a stage.
    #[must_use]
    pub fn us_east_1() -> Self {
        Self("us-east-1".to_owned())
    }

    /// The partition of the region.
    pub fn partition(&self) -> Partition {
        Partition::of_region(&self.0).map_or(Partition::Aws, |(partition, _)| partition)
    }
}

impl FromStr for Region {
    type Err = InvalidValue;

    /// # Errors
    /// `text` matches the pattern of no partition.
    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let well_formed = Partition::of_region(text)
            .and_then(|(_, rest)| rest.split_once('-'))
            .is_some_and(|(direction, number)| {
                !direction.is_empty()
                    && direction.bytes().all(|byte| byte.is_ascii_lowercase())
                    && (1..=2).contains(&number.len())
                    && number.bytes().all(|byte| byte.is_ascii_digit())
            });
        if well_formed {
            return Ok(Self(text.to_owned()));
        }
        let error = InvalidValue::new(
            "region",
            text,
            if text.is_empty() {
                "is empty"
            } else {
                "is not a region name"
            },
        );
        let zone = text.strip_suffix(|last: char| last.is_ascii_lowercase());
        Err(match zone.filter(|region| region.parse::<Self>().is_ok()) {
            Some(region) => error.with_hint(format!(
                "this is an availability zone; its region is `{region}`"
            )),
            None => error.with_hint("use a region code, such as `eu-central-1`"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_partition_follows_the_region() {
        for (region, partition) in [
            ("us-east-1", "aws"),
            ("ap-southeast-7", "aws"),
            ("mx-central-1", "aws"),
            ("cn-north-1", "aws-cn"),
            ("us-gov-west-1", "aws-us-gov"),
            ("eusc-de-east-1", "aws-eusc"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("eu-isoe-west-1", "aws-iso-e"),
            ("us-isof-south-1", "aws-iso-f"),
        ] {
            let region: Region = region.parse().unwrap();
            assert_eq!(region.partition().as_str(), partition, "{region}");
            assert_eq!(partition.parse::<Partition>().unwrap(), region.partition());
        }
    }

    #[test]
    fn every_known_region_is_valid() {
        for region in Region::KNOWN {
            assert!(region.parse::<Region>().is_ok(), "{region}");
        }
    }

    #[test]
    fn other_names_are_rejected() {
        for text in [
            "",
            "us-east",
            "us-east-",
            "US-EAST-1",
            "eu_central_1",
            "moon-east-1",
            "us-east-1a",
            "us-east-1\n",
            "us--1",
            "${x}",
        ] {
            assert!(text.parse::<Region>().is_err(), "{text}");
        }
        assert!(
            "us-east-1a"
                .parse::<Region>()
                .unwrap_err()
                .hint()
                .unwrap()
                .contains("`us-east-1`")
        );
    }
}
