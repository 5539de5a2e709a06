//! Compares the packaged CloudFormation template with the stage.
//!
//! serverless.yml was compared before, but the Serverless Framework merges `resources` over the function that it generates
//! (osls 4.3, `merge-custom-provider-resources.js`). The code must be the archive that was built here, and the values of the
//! variables file must be unchanged.

use std::{collections::BTreeMap, fmt};

use contract::variable;
use serde_json::{Map, Value, json};

use crate::{
    render::{File, cloudformation},
    sys::error::InputError,
};
use environment::{Environment, ReservedConcurrency};

/// Checks the template; `rendered` is the packaged serverless.yml.
///
/// # Errors
/// The function is missing or has another role, configuration or code, or the template has parts whose effect cannot be checked.
pub(super) fn check(
    template: &Value,
    rendered: &str,
    environment: &Environment,
) -> Result<(), InputError> {
    if cloudformation::has_transform(template) {
        return Err(problem("a transform may change anything"));
    }
    let none = Map::new();
    let resources = template["Resources"].as_object().unwrap_or(&none);
    for (id, resource) in resources {
        let kind = resource["Type"].as_str().unwrap_or_default();
        // A nested stack cannot change this one; `diff` reports new ones.
        if cloudformation::is_opaque(kind) && kind != "AWS::CloudFormation::Stack" {
            return Err(problem(&format!(
                "`{id}` is `{kind}`, whose code cannot be checked"
            )));
        }
    }
    let name = environment.function_name();
    let is_own = |resource: &&Value| {
        resource["Type"] == "AWS::Lambda::Function"
            && resource["Properties"]["FunctionName"] == name.as_str()
    };
    let mut functions = resources.iter().filter(|(_, resource)| is_own(resource));
    let Some((id, function)) = functions.next() else {
        return Err(problem(&format!("function `{name}` is missing")));
    };
    let function = &function["Properties"];
    check_function(function, rendered, environment)?;
    check_code(template, function, environment)?;
    check_variables(function, environment)?;
    check_logs(resources, function, environment)?;
    check_schedules(resources, id, environment)
}

fn check_function(
    function: &Value,
    rendered: &str,
    environment: &Environment,
) -> Result<(), InputError> {
    let variables = &environment.variables.function;
    let reserved = variables.reserved_concurrency.map(ReservedConcurrency::get);
    for (key, is, must) in [
        (
            "Role",
            &function["Role"],
            json!(environment.execution_role_arn().to_string()),
        ),
        ("Runtime", &function["Runtime"], json!("provided.al2023")),
        (
            "Architectures",
            &function["Architectures"],
            json!([variables.architecture.as_str()]),
        ),
        ("Handler", &function["Handler"], json!("bootstrap")),
        (
            "MemorySize",
            &function["MemorySize"],
            json!(variables.memory.get()),
        ),
        (
            "Timeout",
            &function["Timeout"],
            json!(variables.timeout.get()),
        ),
        (
            "TracingConfig.Mode",
            or(&function["TracingConfig"]["Mode"], &json!("PassThrough")),
            json!(variables.tracing.aws_name()),
        ),
        (
            "ReservedConcurrentExecutions",
            &function["ReservedConcurrentExecutions"],
            json!(reserved),
        ),
        (
            "PackageType",
            or(&function["PackageType"], &json!("Zip")),
            json!("Zip"),
        ),
    ] {
        expect(format_args!("`{key}` of the function"), is, &must)?;
    }
    let layers = layers_of(rendered);
    if function["Layers"] != layers {
        return Err(problem(&format!(
            "`Layers` of the function is {}, but serverless.yml sets it to {layers}; a layer is code that runs with the \
             function's credentials",
            function["Layers"]
        )));
    }
    for (key, value) in environment.variables.tags.iter() {
        let (key, value) = (key.to_string(), value.to_string());
        let mut tags = function["Tags"].as_array().into_iter().flatten();
        let is = tags.find(|tag| tag["Key"] == key.as_str());
        let is = is.map_or(&Value::Null, |tag| &tag["Value"]);
        expect(
            format_args!("the function's tag `{key}`"),
            is,
            &json!(value),
        )?;
    }
    Ok(())
}

/// The layers in serverless.yml.
fn layers_of(rendered: &str) -> Value {
    let rendered: Value = serde_yaml::from_str(rendered).unwrap_or_default();
    let own = &rendered["functions"]["list_s3"]["layers"];
    or(own, &rendered["provider"]["layers"]).clone()
}

/// Checks that the code is the packaged archive, in the Serverless Framework's bucket.
fn check_code(
    template: &Value,
    function: &Value,
    environment: &Environment,
) -> Result<(), InputError> {
    let code = &function["Code"];
    let stage = environment.stage.as_str();
    let service = environment.variables.service.as_str();
    let is_own_key = code["S3Key"].as_str().is_some_and(|key| {
        let parts: Vec<&str> = key.rsplit('/').collect();
        matches!(parts[..], ["handler.zip", _, of, by, ..] if of == stage && by == service)
    });
    let is_own_bucket = match &code["S3Bucket"] {
        // A user's own bucket (`provider.deploymentBucket`).
        Value::String(bucket) => {
            template["Outputs"]["ServerlessDeploymentBucketName"]["Value"] == bucket.as_str()
        }
        bucket => *bucket == json!({"Ref": "ServerlessDeploymentBucket"}),
    };
    let has_no_more = code.as_object().is_some_and(|code| code.len() == 2);
    if is_own_key && is_own_bucket && has_no_more {
        return Ok(());
    }
    Err(problem(&format!(
        "the function's code is {code}, not `handler.zip` in the Serverless Framework's bucket"
    )))
}

fn check_variables(function: &Value, environment: &Environment) -> Result<(), InputError> {
    let should = environment.function_configuration().to_environment();
    let is = &function["Environment"]["Variables"];
    for name in variable::ALL {
        let must = should
            .get(name)
            .map_or(Value::Null, |value| value.as_str().into());
        expect(
            format_args!("the function's variable {name}"),
            &is[name],
            &must,
        )?;
    }
    Ok(())
}

/// Checks the function's log group and its retention.
fn check_logs(
    resources: &Map<String, Value>,
    function: &Value,
    environment: &Environment,
) -> Result<(), InputError> {
    let name = json!(format!("/aws/lambda/{}", environment.function_name()));
    let group = &function["LoggingConfig"]["LogGroup"];
    expect(
        format_args!("the function's log group"),
        or(group, &name),
        &name,
    )?;
    let properties = resources.values().find_map(|resource| {
        let properties = &resource["Properties"];
        let is_own =
            resource["Type"] == "AWS::Logs::LogGroup" && properties["LogGroupName"] == name;
        is_own.then_some(properties)
    });
    let Some(properties) = properties else {
        return Err(problem(&format!("log group {name} is missing")));
    };
    let days = environment.variables.function.log_retention_days.get();
    expect(
        format_args!("`RetentionInDays` of the function's log group"),
        &properties["RetentionInDays"],
        &json!(days),
    )
}

/// Checks that only the stage's schedule invokes the function, whose logical ID is `id`.
fn check_schedules(
    resources: &Map<String, Value>,
    id: &str,
    environment: &Environment,
) -> Result<(), InputError> {
    let arn = json!({"Fn::GetAtt": [id, "Arn"]});
    let is_called = |properties: &Value| {
        let targets = properties["Targets"].as_array().into_iter().flatten();
        let mut targets = targets.chain([&properties["Target"]]);
        targets.any(|target| target["Arn"] == arn)
    };
    let schedules: BTreeMap<&str, &Value> = resources
        .values()
        .filter(|resource| {
            let kind = resource["Type"].as_str().unwrap_or_default();
            matches!(kind, "AWS::Events::Rule" | "AWS::Scheduler::Schedule")
        })
        .map(|resource| &resource["Properties"])
        .filter(|properties| is_called(properties))
        .filter_map(|properties| {
            Some((
                properties["ScheduleExpression"].as_str()?,
                &properties["State"],
            ))
        })
        .collect();
    let must = environment.variables.function.schedule.as_ref();
    let must = must.map(ToString::to_string);
    let is: Vec<&str> = schedules.keys().copied().collect();
    let musts: Vec<&str> = must.as_deref().into_iter().collect();
    expect(
        format_args!("the function's schedule"),
        &json!(is),
        &json!(musts),
    )?;
    for state in schedules.into_values() {
        let enabled = json!("ENABLED");
        expect(
            format_args!("`State` of the function's schedule"),
            or(state, &enabled),
            &enabled,
        )?;
    }
    Ok(())
}

/// `value`, or `default` if it is null.
fn or<'a>(value: &'a Value, default: &'a Value) -> &'a Value {
    if value.is_null() { default } else { value }
}

fn expect(what: fmt::Arguments<'_>, is: &Value, must: &Value) -> Result<(), InputError> {
    if is == must {
        return Ok(());
    }
    Err(problem(&format!(
        "{what} is {is}, but the variables file sets it to {must}"
    )))
}

fn problem(what: &str) -> InputError {
    let template = File::Serverless.template_path();
    InputError(format!(
        "In the packaged CloudFormation template, {what}\n\
         hint: check `resources` and `extensions` in {template}, which are merged over the function"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::samples;

    const RENDERED: &str = "functions:\n  list_s3:\n    memorySize: 256\n";

    fn packaged() -> Value {
        json!({"Resources": {
            "ServerlessDeploymentBucket": {"Type": "AWS::S3::Bucket"},
            "ListUnderscores3LogGroup": {"Type": "AWS::Logs::LogGroup", "Properties": {
                "LogGroupName": "/aws/lambda/List-S3-Buckets-dev-list_s3", "RetentionInDays": 30}},
            "ListUnderscores3LambdaFunction": {"Type": "AWS::Lambda::Function", "Properties": {
                "FunctionName": "List-S3-Buckets-dev-list_s3",
                "Role": "arn:aws:iam::111111111111:role/MyLambdaExecutionRole",
                "Runtime": "provided.al2023",
                "Handler": "bootstrap",
                "MemorySize": 256,
                "Timeout": 30,
                "TracingConfig": {"Mode": "PassThrough"},
                "Architectures": ["x86_64"],
                "Code": {
                    "S3Bucket": {"Ref": "ServerlessDeploymentBucket"},
                    "S3Key": "serverless/List-S3-Buckets/dev/1-t/handler.zip"},
                "Environment": {"Variables": {
                    "TARGET_ACCOUNT_ID": "222222222222", "S3_READ_ROLE": "MyS3ReadRole", "OTHER": "x"}}}},
            "Alarm": {"Type": "AWS::CloudWatch::Alarm"}},
            "Outputs": {"ServerlessDeploymentBucketName": {"Value": {"Ref": "ServerlessDeploymentBucket"}}}})
    }

    /// The same of a stage that says everything.
    fn packaged_in_full() -> (Value, Environment) {
        let stage = samples::stage(
            "tags:\n  team: data\nfunction:\n  tracing: active\n  reserved-concurrency: 5\n  \
             log-retention-days: 7\n  schedule: rate(1 hour)\n",
        );
        let mut template = packaged();
        let resources = &mut template["Resources"];
        resources["ListUnderscores3LogGroup"]["Properties"]["RetentionInDays"] = json!(7);
        let function = &mut resources["ListUnderscores3LambdaFunction"]["Properties"];
        function["TracingConfig"]["Mode"] = json!("Active");
        function["ReservedConcurrentExecutions"] = json!(5);
        function["Tags"] = json!([{"Key": "more", "Value": "x"}, {"Key": "team", "Value": "data"}]);
        resources["Rule"] = json!({"Type": "AWS::Events::Rule", "Properties": {
            "ScheduleExpression": "rate(1 hour)", "State": "ENABLED",
            "Targets": [{"Arn": {"Fn::GetAtt": ["ListUnderscores3LambdaFunction", "Arn"]}, "Id": "x"}]}});
        (template, stage)
    }

    /// The problem after `value` is merged over `template` at `place`.
    fn problem_of(template: &Value, stage: &Environment, place: &str, value: Value) -> String {
        let mut template = template.clone();
        let (parent, key) = place.rsplit_once('/').unwrap();
        template.pointer_mut(parent).unwrap()[key] = value;
        let problem = check(&template, RENDERED, stage)
            .expect_err(place)
            .to_string();
        assert!(problem.contains("hint: "), "{problem}");
        problem
    }

    #[test]
    fn a_value_merged_over_the_function_is_rejected() {
        let stage = samples::stage("");
        check(&packaged(), RENDERED, &stage).unwrap_or_else(|problem| panic!("{problem}"));
        for (key, value, expected) in [
            (
                "FunctionName",
                json!("Other"),
                "function `List-S3-Buckets-dev-list_s3` is missing",
            ),
            (
                "Role",
                json!("arn:aws:iam::111111111111:role/Admin"),
                "`Role` of the function is",
            ),
            (
                "Role",
                json!({"Fn::GetAtt": ["R", "Arn"]}),
                "`Role` of the function is",
            ),
            (
                "Runtime",
                json!("nodejs24.x"),
                "`Runtime` of the function is",
            ),
            (
                "Architectures",
                json!(["arm64"]),
                "`Architectures` of the function is",
            ),
            ("Handler", json!("other"), "`Handler` of the function is"),
            (
                "PackageType",
                json!("Image"),
                "`PackageType` of the function is",
            ),
            (
                "MemorySize",
                json!(10_240),
                "`MemorySize` of the function is 10240",
            ),
            ("Timeout", json!(900), "`Timeout` of the function is 900"),
            (
                "TracingConfig",
                json!({"Mode": "Active"}),
                "`TracingConfig.Mode` of the function is \"Active\"",
            ),
            (
                "ReservedConcurrentExecutions",
                json!(0),
                "`ReservedConcurrentExecutions` of the function is 0",
            ),
            (
                "Layers",
                json!(["arn:aws:lambda:eu-central-1:999999999999:layer:x:1"]),
                "`Layers` of the function is",
            ),
            (
                "LoggingConfig",
                json!({"LogGroup": "/other"}),
                "the function's log group is \"/other\"",
            ),
        ] {
            let place = format!("/Resources/ListUnderscores3LambdaFunction/Properties/{key}");
            let problem = problem_of(&packaged(), &stage, &place, value);
            assert!(problem.contains(expected), "{key}: {problem}");
        }
    }

    #[test]
    fn other_code_and_another_configuration_are_rejected() {
        let stage = samples::stage("");
        for (key, value, expected) in [
            (
                "Code/S3Key",
                json!("serverless/x/other.zip"),
                "`handler.zip` in the Serverless Framework's bucket",
            ),
            (
                "Code/S3Key",
                json!("serverless/List-S3-Buckets/prod/1-t/handler.zip"),
                "`handler.zip` in the Serverless Framework's bucket",
            ),
            (
                "Code/S3Bucket",
                json!("theirs"),
                "`handler.zip` in the Serverless Framework's bucket",
            ),
            (
                "Code/S3Bucket",
                json!({"Ref": "Theirs"}),
                "`handler.zip` in the Serverless Framework's bucket",
            ),
            (
                "Code/S3ObjectVersion",
                json!("1"),
                "`handler.zip` in the Serverless Framework's bucket",
            ),
            (
                "Code",
                json!({"ZipFile": "x"}),
                "`handler.zip` in the Serverless Framework's bucket",
            ),
            (
                "Environment/Variables/TARGET_ACCOUNT_ID",
                json!("333333333333"),
                "TARGET_ACCOUNT_ID is \"333333333333\"",
            ),
            (
                "Environment/Variables",
                json!({}),
                "TARGET_ACCOUNT_ID is null",
            ),
            (
                "Environment/Variables/SESSION_POLICY",
                json!("off"),
                "SESSION_POLICY is \"off\"",
            ),
        ] {
            let place = format!("/Resources/ListUnderscores3LambdaFunction/Properties/{key}");
            let problem = problem_of(&packaged(), &stage, &place, value);
            assert!(problem.contains(expected), "{key}: {problem}");
        }
    }

    #[test]
    fn parts_that_cannot_be_checked_are_rejected() {
        let stage = samples::stage("");
        for (place, value, expected) in [
            (
                "/Transform",
                json!("AWS::Serverless-2016-10-31"),
                "a transform",
            ),
            (
                "/Resources/Alarm/Fn::Transform",
                json!({"Name": "AWS::Include"}),
                "a transform",
            ),
            (
                "/Resources/X",
                json!({"Type": "Custom::Thing"}),
                "`X` is `Custom::Thing`",
            ),
            (
                "/Resources/X",
                json!({"Type": "Our::Own::Thing"}),
                "`X` is `Our::Own::Thing`",
            ),
            (
                "/Resources/X",
                json!({"Type": "AWS::S3::Thing::MODULE"}),
                "`X` is",
            ),
            (
                "/Resources/X",
                json!({"Type": "AWS::CloudFormation::CustomResource"}),
                "`X` is `AWS::CloudFormation::CustomResource`",
            ),
        ] {
            let problem = problem_of(&packaged(), &stage, place, value);
            assert!(problem.contains(expected), "{place}: {problem}");
        }
    }

    #[test]
    fn what_stands_beside_the_function_is_the_stages_too() {
        let (template, stage) = packaged_in_full();
        check(&template, RENDERED, &stage).unwrap_or_else(|problem| panic!("{problem}"));
        let rule = &template["Resources"]["Rule"];
        let mut other = rule.clone();
        other["Properties"]["ScheduleExpression"] = json!("rate(1 minute)");
        for (place, value, expected) in [
            (
                "ListUnderscores3LogGroup/Properties/RetentionInDays",
                json!(1),
                "`RetentionInDays`",
            ),
            (
                "ListUnderscores3LogGroup/Properties/LogGroupName",
                json!("x"),
                "log group \"/aws/lambda/List-S3-Buckets-dev-list_s3\" is missing",
            ),
            (
                "ListUnderscores3LambdaFunction/Properties/Tags",
                json!([]),
                "tag `team` is null",
            ),
            (
                "ListUnderscores3LambdaFunction/Properties/Tags",
                json!([{"Key": "team", "Value": "x"}]),
                "tag `team` is \"x\"",
            ),
            (
                "ListUnderscores3LambdaFunction/Properties/ReservedConcurrentExecutions",
                Value::Null,
                "is null",
            ),
            (
                "Rule/Properties/ScheduleExpression",
                json!("rate(1 minute)"),
                "the function's schedule",
            ),
            (
                "Rule/Properties/State",
                json!("DISABLED"),
                "`State` of the function's schedule",
            ),
            (
                "Rule/Properties/Targets",
                json!([]),
                "the function's schedule is []",
            ),
            ("Another", other, "the function's schedule"),
        ] {
            let problem = problem_of(&template, &stage, &format!("/Resources/{place}"), value);
            assert!(problem.contains(expected), "{place}: {problem}");
        }
        // Of a stage without a schedule, nothing calls it by itself.
        let stage = samples::stage("");
        let problem = problem_of(&packaged(), &stage, "/Resources/Rule", rule.clone());
        assert!(
            problem.contains("the function's schedule is [\"rate(1 hour)\"]"),
            "{problem}"
        );
    }

    /// A bucket of the user's own, and a layer that serverless.yml names, are to be seen where the user looks.
    #[test]
    fn what_serverless_yml_itself_says_is_the_users() {
        let stage = samples::stage("");
        let layer = "arn:aws:lambda:eu-central-1:580247275435:layer:LambdaInsightsExtension:1";
        let mut template = packaged();
        let function = &mut template["Resources"]["ListUnderscores3LambdaFunction"]["Properties"];
        function["Layers"] = json!([layer]);
        function["Code"]["S3Bucket"] = json!("ours");
        template["Outputs"]["ServerlessDeploymentBucketName"]["Value"] = json!("ours");
        for of_function in [
            format!("functions:\n  list_s3:\n    layers:\n      - {layer}\n"),
            format!(
                "provider:\n  layers:\n    - {layer}\nfunctions:\n  list_s3:\n    memorySize: 256\n"
            ),
        ] {
            check(&template, &of_function, &stage).unwrap_or_else(|problem| panic!("{problem}"));
        }
        assert!(check(&template, RENDERED, &stage).is_err());
    }
}
