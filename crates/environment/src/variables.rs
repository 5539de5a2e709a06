//! Defines the keys of the variables file, as types.
//!
//! A field's name is the key in kebab-case, its documentation is the key's in the JSON Schema, in editors and in
//! docs/variables.md, its type defines the valid values, and its `serde(default)` is the default. Parsing, validation, "did
//! you mean", the schema and that table all follow from these definitions.

use std::collections::BTreeSet;

use contract::{
    AccountId, Concurrency, ExternalId, LogLevel, OrganizationId, Region, RoleName, SessionPolicy,
    TargetName, UnitId,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    check::keys,
    rules,
    schedule::Schedule,
    values::{
        Architecture, LogRetention, Memory, PolicyName, RegionCheck, ReservedConcurrency, Service,
        Tags, Timeout, Tracing, Trust,
    },
};

keys! {
    /// The variables of a stage: environments/variables.STAGE.yml
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
        /// The account that the function is deployed in. Always quote it: as a number it would lose leading zeros (AWS
        /// Account Management guide, "View AWS account identifiers").
        #[schemars(extend("$comment" = "12 digits, in quotes"), example = &"111111111111")]
        pub admin_account_id: AccountId,

        /// The role in the Admin account that the function runs as, its execution role. Write its name, with its path
        /// if it has one, not its ARN (IAM API reference, `CreateRole`).
        #[schemars(extend("$comment" = "`NAME` or `path/NAME`"), example = &"MyLambdaExecutionRole")]
        pub lambda_execution_role: RoleName,

        /// The account whose buckets are listed. Always quote it, like `admin-account-id`.
        #[schemars(
            with = "AccountId",
            extend("$comment" = "12 digits, in quotes"),
            example = &"222222222222"
        )]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub target_account_id: Option<AccountId>,

        /// The accounts whose buckets are listed, in this order, for a stage with many accounts. No account and no name
        /// may occur twice.
        #[schemars(
            with = "Vec<TargetVariables>",
            length(min = 1),
            extend("$comment" = "items with at least `account-id: \"222222222222\"`")
        )]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub targets: Option<Vec<TargetVariables>>,

        /// The organization whose accounts are listed: those that are active when the function is invoked. The Admin
        /// account must be its management account or a delegated administrator account (Organizations API reference,
        /// `ListAccounts`).
        #[schemars(
            with = "OrganizationVariables",
            extend("$comment" = "keys: `units` or `all: true`")
        )]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub organization: Option<OrganizationVariables>,

        /// The role in each Target account that the function assumes, which may list the buckets. Write its name, with
        /// its path if it has one, not its ARN (IAM API reference, `CreateRole`). Not required if every target, or the
        /// organization, has a `role` of its own.
        #[schemars(
            with = "RoleName",
            extend("$comment" = "`NAME` or `path/NAME`"),
            example = &"MyS3ReadRole"
        )]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub s3_read_role: Option<RoleName>,

        /// The region that the function is deployed to. It determines the partition of every ARN (AWS General
        /// Reference, "Regional endpoints").
        #[schemars(extend("$comment" = "a region's name, such as `eu-central-1`"))]
        #[serde(default = "Region::us_east_1")]
        pub region: Region,

        /// Whether to reject a `region`, also that of a target, that this version does not know. Use `off` for a newer
        /// region. Quotes are optional.
        #[serde(default)]
        pub region_check: RegionCheck,

        /// The external ID that the Target roles' trust policies require. It is not a secret (STS API reference,
        /// `AssumeRole`).
        #[schemars(
            with = "ExternalId",
            extend("$comment" = "2 to 1224 letters, digits and `_ + = , . @ : / -`")
        )]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub external_id: Option<ExternalId>,

        /// The principal in a Target role's trust policy. `role` is the execution role, which IAM stores by its unique
        /// ID. `account` is the Admin account, with a condition on the execution role's ARN, and still holds after that
        /// role was re-created (IAM user guide, "AWS JSON policy elements: Principal"). Either way, only the execution
        /// role can assume the Target role.
        #[serde(default)]
        pub trust: Trust,

        /// The organization of the accounts. Target roles then trust only its members (`aws:PrincipalOrgID`), and a
        /// stage with an `organization` assumes roles only in its accounts (`aws:ResourceOrgID`) (IAM user guide, "AWS
        /// global condition context keys").
        #[schemars(
            with = "OrganizationId",
            extend("$comment" = "`o-` and 10 to 32 digits and letters in lower case")
        )]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub organization_id: Option<OrganizationId>,

        /// The managed policy that limits what the roles are allowed. It must exist under this name in each role's
        /// account. Write its name, with its path if it has one, not its ARN (IAM user guide, "Permissions boundaries
        /// for IAM entities").
        #[schemars(with = "PolicyName", extend("$comment" = "`NAME` or `path/NAME`"))]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub permissions_boundary: Option<PolicyName>,

        /// Whether the function limits every session to `s3:ListAllMyBuckets`, so that a Target role with more
        /// permissions cannot be misused through it (IAM user guide, "Session policies"). Quotes are optional.
        #[serde(default)]
        pub session_policy: SessionPolicy,

        /// The role in the Admin account that CloudFormation uses to create resources. Without one, it uses the
        /// permissions of your credentials (CloudFormation user guide, "CloudFormation service role").
        #[schemars(with = "RoleName", extend("$comment" = "`NAME` or `path/NAME`"))]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub deployment_role: Option<RoleName>,

        /// The name of the service. The CloudFormation stack is called `SERVICE-STAGE`, and the function
        /// `SERVICE-STAGE-list_s3`, which may have at most 64 characters (Lambda API reference, `CreateFunction`;
        /// CloudFormation API reference, `CreateStack`).
        #[schemars(extend("$comment" = "2 or more letters, digits and hyphens, starting with a letter"))]
        #[serde(default)]
        pub service: Service,

        /// Whether `deploy`, `rollback`, `remove` and `roles --apply` ask for the stage's name, and `deploy` and `roles
        /// --apply` ask before they broaden access.
        #[serde(default)]
        pub protected: bool,

        /// Tags of the function: at most 49, because the Serverless Framework adds one. A key has 1 to 128 ASCII
        /// letters, digits, spaces and `_ . : / = + -`, and does not start with `aws:`. A value has up to 256 letters,
        /// digits, spaces and `_ . : / = + - @` (Lambda developer guide, "Using tags on Lambda functions"; in keys, the
        /// Serverless Framework's schema rejects `@` and non-ASCII characters).
        #[schemars(extend("$comment" = "strings to strings"))]
        #[serde(default, skip_serializing_if = "Tags::is_empty")]
        pub tags: Tags,

        /// The configuration of the function.
        #[serde(default)]
        pub function: Function,
    }
    rules: rules::rules
}

keys! {
    /// One of many accounts to list, with its own settings.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "kebab-case", deny_unknown_fields)]
    pub struct TargetVariables {
        /// The ID of the account to list. Always quote it, like `admin-account-id`. The Admin account, if it has no `role` here, is
        /// listed with the execution role's own credentials.
        #[schemars(extend("$comment" = "12 digits, in quotes"), example = &"222222222222")]
        pub account_id: AccountId,

        /// A name for the account in responses and logs. It is never sent to AWS.
        #[schemars(
            with = "TargetName",
            extend("$comment" = "1 to 128 letters, digits, spaces and punctuation but quotes, backslashes and braces")
        )]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub name: Option<TargetName>,

        /// The role to assume in this account, if it is not `s3-read-role`.
        #[schemars(with = "RoleName", extend("$comment" = "`NAME` or `path/NAME`"))]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub role: Option<RoleName>,

        /// The external ID that the role's trust policy requires, if it is not the stage's `external-id`.
        #[schemars(
            with = "ExternalId",
            extend("$comment" = "2 to 1224 letters, digits and `_ + = , . @ : / -`")
        )]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub external_id: Option<ExternalId>,

        /// The region of the STS and S3 endpoints for this account, if it is not the stage's. It must be in the same
        /// partition.
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
        /// The organizational units whose accounts are listed, including nested units (Organizations API reference,
        /// `OrganizationalUnit`).
        #[schemars(
            with = "BTreeSet<UnitId>",
            length(min = 1),
            extend("$comment" = "an ID such as `ou-ab12-34cd56ef`")
        )]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub units: Option<BTreeSet<UnitId>>,

        /// Whether to list all accounts of the organization.
        #[serde(default)]
        pub all: bool,

        /// Accounts that are never listed, even if a unit contains them.
        #[schemars(extend("$comment" = "12 digits, in quotes"))]
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        pub exclude: BTreeSet<AccountId>,

        /// The role to assume in each account, if it is not `s3-read-role`.
        #[schemars(with = "RoleName", extend("$comment" = "`NAME` or `path/NAME`"))]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub role: Option<RoleName>,
    }
    rules: rules::organization_rules
}

keys! {
    /// The configuration of the function.
    #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
    #[schemars(inline)]
    pub struct Function {
        /// Memory in MB. CPU power grows with it: the default has twice that of Lambda's default of 128 MB, which
        /// shortens the TLS handshakes of a cold start (Lambda developer guide, "Configure Lambda function memory").
        #[schemars(extend("$comment" = "128 to 10240"))]
        pub memory: Memory,

        /// The number of seconds after which Lambda ends an invocation (Lambda developer guide, "Configure Lambda
        /// function timeout").
        #[schemars(extend("$comment" = "1 to 900"))]
        pub timeout: Timeout,

        /// The processor architecture of the function. To build for `arm64`, install the Rust target
        /// `aarch64-unknown-linux-gnu` (Lambda developer guide, "Selecting and configuring an instruction set
        /// architecture").
        pub architecture: Architecture,

        /// The number of days after which CloudWatch deletes log events (CloudWatch Logs API reference,
        /// `PutRetentionPolicy`; without its 1096, which the Serverless Framework's schema rejects).
        pub log_retention_days: LogRetention,

        /// The lowest level that the function logs (Lambda developer guide, "Log-level filtering").
        pub log_level: LogLevel,

        /// AWS X-Ray: `active` samples invocations and needs `xray:PutTraceSegments` and `xray:PutTelemetryRecords` on
        /// the execution role; `pass-through` follows the caller's decision (Lambda API reference, `TracingConfig`).
        pub tracing: Tracing,

        /// When EventBridge invokes the function, in UTC (EventBridge user guide, "Creating a scheduled rule").
        #[schemars(
            with = "Schedule",
            extend("$comment" = "`rate(1 hour)`, `rate(5 minutes)` or `cron(0 12 * * ? *)`")
        )]
        #[serde(skip_serializing_if = "Option::is_none")]
        pub schedule: Option<Schedule>,

        /// The number of accounts that are listed at the same time, if there are many. Each of them uses a connection.
        /// Above 256, they slow each other down.
        #[schemars(extend("$comment" = "1 to 256"))]
        pub concurrency: Concurrency,

        /// The number of invocations that may run at the same time, reserved from the account's quota (1,000 by
        /// default, of which 100 stay unreserved). 0 stops the function (Lambda API reference,
        /// `PutFunctionConcurrency`).
        #[schemars(with = "ReservedConcurrency", extend("$comment" = "0 or more"))]
        #[serde(skip_serializing_if = "Option::is_none")]
        pub reserved_concurrency: Option<ReservedConcurrency>,
    }
}
