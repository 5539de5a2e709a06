//! The variables file as types: the one definition of every key.
//!
//! Each field's name is the key (in kebab-case), its documentation the key's (in the JSON Schema, in editors, in
//! docs/variables.md), its type the values it takes, and its `serde(default)` what holds when it is left out. Reading, the check,
//! "did you mean", the schema and that page's table all follow from here.

use std::collections::BTreeSet;

use contract::{
    AccountId, Concurrency, ExternalId, LogLevel, OrganizationId, Region, RoleName, SessionPolicy,
    TargetName, UnitId,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    keys::keys,
    schedule::Schedule,
    selection,
    values::{
        Architecture, LogRetention, Memory, PolicyName, RegionCheck, ReservedConcurrency, Service,
        Tags, Timeout, Tracing, Trust,
    },
};

keys! {
    /// What a stage is made from: environments/variables.STAGE.yml
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "kebab-case", deny_unknown_fields)]
    #[schemars(extend(
        "oneOf" = [
            { "required": ["target-account-id"] },
            { "required": ["targets"] },
            { "required": ["organization"] }
        ],
        "dependencies" = {
            "target-account-id": ["s3-read-role"],
            "organization": { "anyOf": [
                { "required": ["s3-read-role"] },
                { "properties": { "organization": { "required": ["role"] } } }
            ] }
        }
    ))]
    pub struct Variables {
        /// The account that the function is deployed in. Always in quotes: as a number it would lose its leading zeros
        /// (AWS Account Management guide, "View AWS account identifiers").
        #[schemars(extend("$comment" = "12 digits, in quotes"), example = &"111111111111")]
        pub admin_account_id: AccountId,

        /// The role in the Admin account that the function runs as, its execution role: its name, with its path if it
        /// has one; no ARN (IAM API reference, `CreateRole`).
        #[schemars(extend("$comment" = "`NAME` or `path/NAME`"), example = &"MyLambdaExecutionRole")]
        pub lambda_execution_role: RoleName,

        /// The account whose buckets are listed. Always in quotes, as `admin-account-id`.
        #[schemars(
            with = "AccountId",
            extend("$comment" = "12 digits, in quotes"),
            example = &"222222222222"
        )]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub target_account_id: Option<AccountId>,

        /// The accounts whose buckets are listed, where there are many, in this order; no account and no name twice.
        #[schemars(
            with = "Vec<TargetVariables>",
            length(min = 1),
            extend("$comment" = "items with at least `account-id: \"222222222222\"`")
        )]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub targets: Option<Vec<TargetVariables>>,

        /// The organization whose accounts are listed: those that are active when the function is called. The Admin
        /// account must be its management account or a delegated administrator (Organizations API reference,
        /// `ListAccounts`).
        #[schemars(
            with = "OrganizationVariables",
            extend("$comment" = "keys: `units` or `all: true`")
        )]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub organization: Option<OrganizationVariables>,

        /// The role in each Target account that the function assumes, which may list the buckets: its name, with its path
        /// if it has one; no ARN (IAM API reference, `CreateRole`). It may be left out where every target, or the
        /// organization, has a `role` of its own.
        #[schemars(
            with = "RoleName",
            extend("$comment" = "`NAME` or `path/NAME`"),
            example = &"MyS3ReadRole"
        )]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub s3_read_role: Option<RoleName>,

        /// The region that the function is deployed in. The partition of every ARN follows from it (AWS General
        /// Reference, "Regional endpoints").
        #[schemars(extend("$comment" = "a region's name, such as `eu-central-1`"))]
        #[serde(default = "Region::us_east_1")]
        pub region: Region,

        /// Whether `region`, and that of each target, must be one of the regions that this version knows: `off` for a
        /// region that is newer. With or without quotes.
        #[serde(default)]
        pub region_check: RegionCheck,

        /// The external ID that the Target roles' trust policies ask for. It is not a secret (STS API reference,
        /// `AssumeRole`).
        #[schemars(
            with = "ExternalId",
            extend("$comment" = "2 to 1224 letters, digits and `_ + = , . @ : / -`")
        )]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub external_id: Option<ExternalId>,

        /// Whom a Target role's trust policy names: `role` the execution role itself, which IAM keeps by its unique id;
        /// `account` the Admin account, with a condition on the execution role's ARN, which holds when that role is
        /// recreated (IAM user guide, "AWS JSON policy elements: Principal"). Either way the execution role alone may
        /// assume it.
        #[serde(default)]
        pub trust: Trust,

        /// The organization that the accounts belong to: a Target role then trusts members of it alone
        /// (`aws:PrincipalOrgID`), and roles are assumed only there where an organization is listed (`aws:ResourceOrgID`)
        /// (IAM user guide, "AWS global condition context keys").
        #[schemars(
            with = "OrganizationId",
            extend("$comment" = "`o-` and 10 to 32 digits and letters in lower case")
        )]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub organization_id: Option<OrganizationId>,

        /// The managed policy that bounds what the roles may do, in each account the one of this name: its name, with its
        /// path if it has one; no ARN (IAM user guide, "Permissions boundaries for IAM entities").
        #[schemars(with = "PolicyName", extend("$comment" = "`NAME` or `path/NAME`"))]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub permissions_boundary: Option<PolicyName>,

        /// Whether the function narrows every session to `s3:ListAllMyBuckets`, so that a Target role that may do more
        /// cannot be misused through it (IAM user guide, "Session policies"). With or without quotes.
        #[serde(default)]
        pub session_policy: SessionPolicy,

        /// The role in the Admin account that CloudFormation provisions the stack with; without one it uses whoever
        /// deploys (CloudFormation user guide, "CloudFormation service role").
        #[schemars(with = "RoleName", extend("$comment" = "`NAME` or `path/NAME`"))]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub deployment_role: Option<RoleName>,

        /// The name of the service. The CloudFormation stack is called `SERVICE-STAGE`, the function
        /// `SERVICE-STAGE-list_s3`, which may have 64 characters (Lambda API reference, `CreateFunction`; CloudFormation
        /// API reference, `CreateStack`).
        #[schemars(extend("$comment" = "2 or more letters, digits and hyphens, starting with a letter"))]
        #[serde(default)]
        pub service: Service,

        /// Whether `deploy`, `rollback`, `remove` and `roles --apply` ask for the stage's name to be typed first, and
        /// `deploy` by itself about what broadens access.
        #[serde(default)]
        pub protected: bool,

        /// Tags of the function: at most 49, as the Serverless Framework adds one. A key has 1 to 128 ASCII letters, digits, spaces and `_ . : / = + -` and
        /// does not start with `aws:`; a value up to 256 letters, digits, spaces and `_ . : / = + - @` (Lambda
        /// developer guide, "Using tags on Lambda functions"; of a key's characters, the Serverless Framework's schema
        /// refuses `@` and those beyond ASCII).
        #[schemars(extend("$comment" = "text to text"))]
        #[serde(default, skip_serializing_if = "Tags::is_empty")]
        pub tags: Tags,

        /// How the function is set up.
        #[serde(default)]
        pub function: Function,
    }
    rules: selection::rules
}

keys! {
    /// One of many accounts to list, with what it has of its own.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "kebab-case", deny_unknown_fields)]
    pub struct TargetVariables {
        /// The account. Always in quotes, as `admin-account-id`. The Admin account itself, without a `role` of its own, is
        /// listed with the execution role's own credentials.
        #[schemars(extend("$comment" = "12 digits, in quotes"), example = &"222222222222")]
        pub account_id: AccountId,

        /// What you call it, for answers and logs; AWS never sees it.
        #[schemars(
            with = "TargetName",
            extend("$comment" = "1 to 128 letters, digits, spaces and punctuation but quotes, backslashes and braces")
        )]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub name: Option<TargetName>,

        /// The role to assume there, where it is not `s3-read-role`.
        #[schemars(with = "RoleName", extend("$comment" = "`NAME` or `path/NAME`"))]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub role: Option<RoleName>,

        /// The external ID that its trust policy asks for, where it is not the stage's `external-id`.
        #[schemars(
            with = "ExternalId",
            extend("$comment" = "2 to 1224 letters, digits and `_ + = , . @ : / -`")
        )]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub external_id: Option<ExternalId>,

        /// The region whose STS and S3 are asked for it, where it is not the stage's; in the same partition.
        #[schemars(
            with = "Region",
            extend("$comment" = "a region's name, such as `eu-central-1`")
        )]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub region: Option<Region>,
    }
}

keys! {
    /// The accounts of an organization.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "kebab-case", deny_unknown_fields)]
    #[schemars(extend("oneOf" = [
        { "required": ["units"] },
        { "required": ["all"], "properties": { "all": { "const": true } } }
    ]))]
    pub struct OrganizationVariables {
        /// The organizational units whose accounts are listed, with the units that are nested in them (Organizations API
        /// reference, `OrganizationalUnit`).
        #[schemars(
            with = "BTreeSet<UnitId>",
            length(min = 1),
            extend("$comment" = "an id such as `ou-ab12-34cd56ef`")
        )]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub units: Option<BTreeSet<UnitId>>,

        /// Whether all accounts of the organization are listed.
        #[serde(default)]
        pub all: bool,

        /// The accounts that are never listed, whatever else says that they are.
        #[schemars(extend("$comment" = "12 digits, in quotes"))]
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        pub exclude: BTreeSet<AccountId>,

        /// The role to assume in each account, where it is not `s3-read-role`.
        #[schemars(with = "RoleName", extend("$comment" = "`NAME` or `path/NAME`"))]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub role: Option<RoleName>,
    }
    rules: selection::organization_rules
}

keys! {
    /// How the function is set up.
    #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
    #[schemars(inline)]
    pub struct Function {
        /// Memory in MB. The share of a processor grows with it: the default has twice that of Lambda's own 128 MB, which
        /// shortens the TLS handshakes of a cold start (Lambda developer guide, "Configure Lambda function memory").
        #[schemars(extend("$comment" = "128 to 10240"))]
        pub memory: Memory,

        /// Seconds until Lambda ends a call (Lambda developer guide, "Configure Lambda function timeout").
        #[schemars(extend("$comment" = "1 to 900"))]
        pub timeout: Timeout,

        /// The processor that the function is built for; building for `arm64` needs the Rust target
        /// `aarch64-unknown-linux-gnu` (Lambda developer guide, "Selecting and configuring an instruction set
        /// architecture").
        pub architecture: Architecture,

        /// Days until CloudWatch deletes a log line (CloudWatch Logs API reference, `PutRetentionPolicy`; its 1096 is
        /// left out, as the Serverless Framework's schema refuses it).
        pub log_retention_days: LogRetention,

        /// How much the function logs: the level named and everything more severe (Lambda developer guide, "Log-level
        /// filtering").
        pub log_level: LogLevel,

        /// AWS X-Ray: `active` samples calls and needs `xray:PutTraceSegments` and `xray:PutTelemetryRecords` on the
        /// execution role; `pass-through` follows the caller's decision (Lambda API reference, `TracingConfig`).
        pub tracing: Tracing,

        /// When to call the function by itself (EventBridge user guide, "Creating a scheduled rule"); times are UTC.
        #[schemars(
            with = "Schedule",
            extend("$comment" = "`rate(1 hour)`, `rate(5 minutes)` or `cron(0 12 * * ? *)`")
        )]
        #[serde(skip_serializing_if = "Option::is_none")]
        pub schedule: Option<Schedule>,

        /// How many accounts are listed at a time, where there are many: with each a request is under way, so this is
        /// also the number of connections; above 256 they slow each other down.
        #[schemars(extend("$comment" = "1 to 256"))]
        pub concurrency: Concurrency,

        /// How many calls may run at once, set aside from the account's quota (1,000 unless raised, of which 100 stay
        /// unreserved); 0 stops the function (Lambda API reference, `PutFunctionConcurrency`).
        #[schemars(with = "ReservedConcurrency", extend("$comment" = "0 or more"))]
        #[serde(skip_serializing_if = "Option::is_none")]
        pub reserved_concurrency: Option<ReservedConcurrency>,
    }
}
