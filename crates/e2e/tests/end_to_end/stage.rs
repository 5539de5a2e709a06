//! A test's accounts and stage, and what a person does with them.

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    sync::{LazyLock, Mutex},
    time::Instant,
};

use aws_sdk_lambda::{
    operation::get_function_configuration::GetFunctionConfigurationOutput, primitives::Blob,
    types::Environment,
};
use e2e::{Copy, Emulator, REGION};
use serde_json::Value;

/// The two accounts of a test, and its stage.
pub(crate) struct Stage {
    pub(crate) name: &'static str,
    pub(crate) admin: &'static str,
    pub(crate) target: &'static str,
    pub(crate) copy: Copy,
}

/// The emulator is one for all tests, which run side by side: an account belongs to one of them, or each would find the
/// other's buckets and roles in it.
pub(crate) fn claim(account: &'static str) {
    static CLAIMED: LazyLock<Mutex<HashSet<&str>>> = LazyLock::new(Mutex::default);
    let first = CLAIMED.lock().expect("a lock").insert(account);
    assert!(first, "another test uses account {account}");
}

impl Stage {
    pub(crate) fn new(name: &'static str, admin: &'static str, target: &'static str) -> Self {
        let copy = Copy::of_workspace(admin);
        copy.write_stage(name, admin, target, "");
        Self::within(copy, name, admin, target)
    }

    /// The stage `name` of a copy that has its variables file.
    pub(crate) fn within(
        copy: Copy,
        name: &'static str,
        admin: &'static str,
        target: &'static str,
    ) -> Self {
        for account in [admin, target] {
            claim(account);
        }
        Self {
            name,
            admin,
            target,
            copy,
        }
    }

    pub(crate) fn function_name(&self) -> String {
        format!("List-S3-Buckets-{}-list_s3", self.name)
    }

    pub(crate) fn xtask(&self, command: &str) -> e2e::Run {
        self.copy.xtask(&[command, "--env", self.name])
    }

    /// Both roles as `cargo xtask roles` makes them, in their accounts.
    pub(crate) fn trust(&self) {
        let _ = self.xtask("roles").ok();
        self.apply(self.admin, "admin-role", &self.role("admin"));
        self.apply(self.target, "target-role", &self.role("target"));
    }

    /// A role template as rendered.
    pub(crate) fn role(&self, side: &str) -> String {
        self.copy
            .read(&format!("dist/{}/roles/{side}.yml", self.name))
    }

    pub(crate) fn apply(&self, account: &str, stack: &str, template: &str) {
        let file = format!("{stack}-{account}.yml");
        self.copy.write(&file, template);
        let _ = self
            .operator(account, &["apply", "--stack", stack, "--template", &file])
            .ok();
    }

    pub(crate) fn delete(&self, account: &str, stack: &str) {
        let _ = self.operator(account, &["delete", "--stack", stack]).ok();
    }

    pub(crate) fn operator(&self, account: &str, arguments: &[&str]) -> e2e::Run {
        let cargo = ["run", "--quiet", "--locked", "--package", "operator", "--"];
        let arguments: Vec<&str> = cargo
            .into_iter()
            .chain(arguments.iter().copied())
            .chain(["--region", REGION])
            .collect();
        self.copy
            .run_as(account, "", &PathBuf::from(env!("CARGO")), &arguments)
    }

    /// The names that the deployed function lists.
    pub(crate) fn listed(&self) -> Vec<String> {
        let answer = self.xtask("invoke").ok().json();
        assert_eq!(answer["statusCode"], 200, "{answer}");
        serde_json::from_str(answer["body"].as_str().expect("a body of text"))
            .expect("the body is a JSON text of names")
    }

    pub(crate) async fn make_buckets(
        &self,
        account: &str,
        names: impl IntoIterator<Item = String>,
    ) {
        let s3 = aws_sdk_s3::Client::from_conf(
            aws_sdk_s3::config::Builder::from(&Emulator::shared().sdk_config(account))
                .force_path_style(true)
                .build(),
        );
        for name in names {
            s3.create_bucket()
                .bucket(name)
                .send()
                .await
                .expect("a bucket");
        }
    }

    pub(crate) fn lambda(&self) -> aws_sdk_lambda::Client {
        aws_sdk_lambda::Client::new(&Emulator::shared().sdk_config(self.admin))
    }

    /// The function's configuration, as deployed.
    pub(crate) async fn deployed(&self) -> GetFunctionConfigurationOutput {
        let lambda = self.lambda();
        let asked = lambda
            .get_function_configuration()
            .function_name(self.function_name());
        asked.send().await.expect("the function is deployed")
    }

    /// The next invocation starts a new process, which holds no credentials of the Target account: so it is after every
    /// change of a function's environment.
    pub(crate) async fn forget_credentials(&self, why: &str) {
        let environment = self.deployed().await.environment.expect("an environment");
        let mut variables = environment.variables.expect("variables");
        variables.insert("FORGET".to_owned(), why.to_owned());
        self.set_variables(variables).await;
    }

    /// The same, and the function is as it was deployed: the emulator does not compare what it is set to.
    pub(crate) async fn forget_credentials_without_a_trace(&self) {
        let environment = self.deployed().await.environment.expect("an environment");
        self.set_variables(environment.variables.expect("variables"))
            .await;
    }

    async fn set_variables(&self, variables: HashMap<String, String>) {
        let environment = Environment::builder()
            .set_variables(Some(variables))
            .build();
        let lambda = self.lambda();
        let update = lambda
            .update_function_configuration()
            .function_name(self.function_name());
        update
            .environment(environment)
            .send()
            .await
            .expect("updated");
    }

    /// Invokes the deployed function and returns its error.
    pub(crate) async fn failure(&self, fault: &str) -> Value {
        let answer = self
            .lambda()
            .invoke()
            .function_name(self.function_name())
            .payload(Blob::new("{}"))
            .send()
            .await;
        let answer = answer.expect("an answer");
        let payload: Value =
            serde_json::from_slice(answer.payload.expect("a payload").as_ref()).expect("JSON");
        assert!(
            answer.function_error.is_some(),
            "{fault} is not refused: {payload}"
        );
        payload
    }
}

/// Prints a test's duration at its end.
pub(crate) struct Clock(&'static str, Instant);

impl Clock {
    pub(crate) fn start(name: &'static str) -> Self {
        Self(name, Instant::now())
    }

    pub(crate) fn lap(&self, what: &str) {
        println!(
            "[{:6.1} s] {}: {what}",
            self.1.elapsed().as_secs_f64(),
            self.0
        );
    }
}
