//! What goes on in the office: the places where secrets are for, and those where they are by mistake.

use std::{
    io::Write as _,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use countersign_e2e::company::OWNER;
use serde_json::{Value, json};

use super::{API, MAILBOX, NEWCOMERS, Office, PATIENCE, WRONG, text};
use crate::search::Place;

impl Office {
    /// Somebody is invited and joins; somebody mistypes; keys are made and revoked, a challenge is asked for.
    pub(crate) fn people(&mut self) -> Result<()> {
        for (name, email) in [
            ("open invitation", "cleo@acme.example"),
            ("invitation", "bob@acme.example"),
        ] {
            let form = json!({"email": email, "role": "approver"});
            let invited = self.give("POST", "/api/invites", &form)?;
            self.secrets.insert(name, text(&invited, "secret")?);
        }
        let secret = &self.secrets["invitation"];
        let form = json!({"secret": secret, "name": "Bob", "password": NEWCOMERS});
        let joined = self.give("POST", "/api/invites/accept", &form)?;
        self.secrets.insert("newcomer's session", text(&joined, "token")?);
        for (email, password) in [(OWNER, WRONG), ("nobody@acme.example", WRONG)] {
            self.ask(
                "POST",
                "/api/auth/sign-in",
                &[],
                &json!({"email": email, "password": password}),
            )?;
        }
        let made = self.give("POST", "/api/agents", &json!({"name": "revoked"}))?;
        self.secrets.insert("revoked key", text(&made, "apiKey")?);
        let revoke = format!("/api/agents/{}/revoke", text(&made, "agentId")?);
        self.give("POST", &revoke, &Value::Null)?;
        let challenge = self.give("POST", "/api/devices/challenge", &Value::Null)?;
        self.secrets.insert("challenge", text(&challenge, "challenge")?);
        Ok(())
    }

    /// Secrets are sent to the wrong place: in addresses, other headers, other fields, broken bodies.
    pub(crate) fn misplace(&mut self) -> Result<()> {
        let secrets = self.secrets.clone();
        for secret in secrets.values() {
            let encoded: String = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
            for path in [
                "/api/tenant",
                "/api/assistant/proposals",
                "/api/journal",
                "/nothing",
            ] {
                self.ask(
                    "GET",
                    &format!("{path}?access_token={encoded}"),
                    &[],
                    &Value::Null,
                )?;
            }
            for path in ["/api/assistant/proposals", "/api/members", "/api/agents"] {
                self.ask("GET", &format!("{path}/{encoded}"), &[], &Value::Null)?;
            }
            let bodies = [
                json!({"email": secret, "password": 1}),
                json!({"email": OWNER, "password": [secret]}),
                json!({"email": OWNER, "password": WRONG, "more": secret}),
                json!({"text": {"a": secret}}),
                json!({"toolId": "email.send", "input": {"to": {"x": secret}}}),
                json!({"secret": [secret], "name": "x", "password": secret}),
            ];
            for path in [
                "/api/auth/sign-in",
                "/api/assistant/propose",
                "/api/invites/accept",
                "/api/records",
            ] {
                for body in &bodies {
                    self.ask("POST", path, &[], body)?;
                }
            }
            // What is no header's value cannot be sent as one.
            for (name, value) in [
                ("x-api-key", secret.clone()),
                ("cookie", format!("session={secret}")),
                ("authorization", format!("Basic {}", STANDARD.encode(secret))),
            ] {
                self.ask("GET", "/api/tenant", &[(name, &value)], &Value::Null)?;
            }
        }
        Ok(())
    }

    /// The desktop gets two ways out, each with its secret.
    pub(crate) fn ways_out(&mut self) -> Result<()> {
        let web = json!({
            "base_url": format!("http://127.0.0.1:{}/", self.target.port),
            "allowed_methods": ["POST"],
            "allowed_path_prefixes": ["/"],
            "auth_header": "Authorization",
        });
        let mail = json!({
            "from": "ada@acme.example", "host": "127.0.0.1", "port": self.mail.port, "tls": "none", "username": "ada",
        });
        let orders = [
            json!({"name": "web", "http": web, "secret": format!("Bearer {API}")}),
            json!({"name": "mail", "smtp": mail, "secret": MAILBOX}),
        ];
        let (_, stdin) = self.hand.as_mut().context("a desktop")?;
        for order in orders {
            writeln!(stdin, "{order}")?;
        }
        self.until_said("added", 2)
    }

    /// A call over each, approved by the desktop, to its end.
    pub(crate) fn calls(&mut self) -> Result<()> {
        let mail = json!({"to": ["dan@example.com"], "subject": "Invoice 7", "body": "Dear Dan."});
        let web = json!({"method": "POST", "path": "/invoices", "body": "{}"});
        let mut asked = Vec::new();
        for (tool, input, end) in [("http.request", web, "completed"), ("email.send", mail, "failed")] {
            let form = json!({"toolId": tool, "input": input});
            let headers = [("authorization", format!("Bearer {}", self.key))];
            let proposed = self.send("POST", "/api/assistant/propose", &headers, &form)?;
            let proposed: Value = serde_json::from_slice(&proposed.1)?;
            let id = proposed["proposalRecord"]["aiToolCallId"].as_str();
            let id = id.with_context(|| proposed.to_string())?;
            asked.push((format!("/api/assistant/proposals/{id}"), end));
        }
        let begin = Instant::now();
        for (path, end) in asked {
            loop {
                let detail = self.give("GET", &path, &Value::Null)?;
                if detail["status"] == end {
                    self.answers.push(Place::new(path, detail.to_string()));
                    break;
                }
                ensure!(begin.elapsed() < PATIENCE, "never {end}: {detail}");
                thread::sleep(Duration::from_millis(200));
            }
        }
        Ok(())
    }
}
