//! Holds the function of the packaged CloudFormation template against the stage.
//!
//! serverless.yml was held against it before; but what a template adds under `resources` is merged over what the
//! Framework makes of the function (osls 4.3, `merge-custom-provider-resources.js`).

use contract::variable;
use serde_json::Value;

use crate::{environment::Environment, fault::InputFault, rendering::File};

/// # Errors
/// The function runs as another role, is told something else, or is another than the stage's.
pub(super) fn check(template: &Value, environment: &Environment) -> Result<(), InputFault> {
    let name = environment.function_name();
    let mut functions = template["Resources"]
        .as_object()
        .into_iter()
        .flat_map(serde_json::Map::values)
        .filter(|resource| resource["Type"] == "AWS::Lambda::Function")
        .map(|resource| &resource["Properties"])
        .filter(|properties| properties["FunctionName"] == name.as_str());
    let Some(function) = functions.next() else {
        return Err(fault(&format!("there is no function `{name}` any more")));
    };
    let architecture = environment.variables.function.architecture.as_str();
    for (key, must) in [
        (
            "Role",
            Value::from(environment.execution_role_arn().to_string()),
        ),
        ("Runtime", Value::from("provided.al2023")),
        ("Architectures", Value::from(vec![architecture])),
    ] {
        let is = &function[key];
        if *is != must {
            return Err(fault(&format!(
                "`{key}` of the function is {is}, where the stage's variables make it {must}"
            )));
        }
    }
    let code = function["Code"]["S3Key"].as_str().unwrap_or_default();
    if !code.ends_with("/handler.zip") {
        return Err(fault(&format!(
            "the function's code is `{code}`, and not `handler.zip`"
        )));
    }
    let should = environment.function_configuration().to_environment();
    let is = &function["Environment"]["Variables"];
    for name in variable::ALL {
        let must = should
            .get(name)
            .map_or(Value::Null, |value| value.as_str().into());
        let is = &is[name];
        if *is != must {
            return Err(fault(&format!(
                "the function's variable {name} is {is}, where the stage's variables make it {must}"
            )));
        }
    }
    Ok(())
}

fn fault(what: &str) -> InputFault {
    let template = File::Serverless.template_path();
    InputFault(format!(
        "In the packaged CloudFormation template {what}\n\
         hint: look under `resources` in {template}: what stands there is merged over the function"
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::policy::samples;

    fn packaged() -> Value {
        json!({"Resources": {
            "Bucket": {"Type": "AWS::S3::Bucket"},
            "ListUnderscores3LambdaFunction": {"Type": "AWS::Lambda::Function", "Properties": {
                "FunctionName": "List-S3-Buckets-dev-list_s3",
                "Role": "arn:aws:iam::111111111111:role/MyLambdaExecutionRole",
                "Runtime": "provided.al2023",
                "Architectures": ["x86_64"],
                "Code": {"S3Key": "serverless/List-S3-Buckets/dev/1-t/handler.zip"},
                "Environment": {"Variables": {
                    "TARGET_ACCOUNT_ID": "222222222222", "S3_READ_ROLE": "MyS3ReadRole", "OTHER": "x"}}}}}})
    }

    #[test]
    fn what_is_merged_over_the_function_is_refused() {
        let stage = samples::stage("");
        check(&packaged(), &stage).unwrap_or_else(|fault| panic!("{fault}"));
        for (key, value, told) in [
            (
                "/FunctionName",
                json!("Other"),
                "no function `List-S3-Buckets-dev-list_s3`",
            ),
            (
                "/Role",
                json!("arn:aws:iam::111111111111:role/Admin"),
                "`Role` of the function is",
            ),
            (
                "/Role",
                json!({"Fn::GetAtt": ["R", "Arn"]}),
                "`Role` of the function is",
            ),
            (
                "/Runtime",
                json!("nodejs24.x"),
                "`Runtime` of the function is",
            ),
            (
                "/Architectures",
                json!(["arm64"]),
                "`Architectures` of the function is",
            ),
            (
                "/Code/S3Key",
                json!("serverless/x/other.zip"),
                "`serverless/x/other.zip`",
            ),
            (
                "/Environment/Variables/TARGET_ACCOUNT_ID",
                json!("333333333333"),
                "TARGET_ACCOUNT_ID is \"333333333333\"",
            ),
            (
                "/Environment/Variables",
                json!({}),
                "TARGET_ACCOUNT_ID is null",
            ),
            (
                "/Environment/Variables",
                json!({"TARGET_ACCOUNT_ID": "222222222222", "S3_READ_ROLE": "MyS3ReadRole", "SESSION_POLICY": "off"}),
                "SESSION_POLICY is \"off\"",
            ),
        ] {
            let mut template = packaged();
            let place = format!("/Resources/ListUnderscores3LambdaFunction/Properties{key}");
            *template.pointer_mut(&place).unwrap() = value;
            let fault = check(&template, &stage).expect_err(key).to_string();
            assert!(fault.contains(told) && fault.contains("hint: "), "{fault}");
        }
    }
}
