//! Devices that decide, as their keys see it: they make the card of what they read and sign what they saw.

use std::{rc::Rc, time::SystemTime};

use anyhow::{Context, Result, ensure};
use countersign_domain::{
    Digest, Record, UnixMillis,
    dsse::SigningKey,
    id::{DecisionId, DeviceId, TenantId, UserId},
    manifest::Pinned,
    record::{
        Assurance, Body, Decision, Endorse, Endorsement, Enrol, Nonce, Proposal, ToolRef, Untrusted, Verdict,
    },
    render::{RENDERER, render},
    wire::{ProposalDetail, ToolList},
};
use serde_json::{Value, json};

use crate::{http::Connection, server::Running};

/// One enrolled device of the owner, with its connection.
pub(crate) struct Signer {
    connection: Connection,
    tenant: TenantId,
    user: UserId,
    device: DeviceId,
    key: SigningKey,
    /// Number and digest of its last record.
    last: Option<(u64, Digest)>,
    task: Rc<Pinned>,
}

impl Signer {
    /// So many devices in service: the owner's sign-in vouches for the first, the first for the others.
    pub(crate) async fn enrol(server: &Running, count: usize) -> Result<Vec<Self>> {
        let mut connection = Connection::open(&server.address, &server.person()).await?;
        let (_, tools) = connection.get("/api/tools").await?;
        let tools: ToolList = serde_json::from_slice(&tools)?;
        let task = tools
            .tools
            .into_iter()
            .find(|tool| tool.id == "assistant.create_task");
        let task = Rc::new(Pinned::new(task.context("no tool for tasks")?)?);
        let mut signers: Vec<Self> = Vec::with_capacity(count);
        for _ in 0..count {
            let mut new = Self {
                connection: Connection::open(&server.address, &server.person()).await?,
                tenant: server.tenant.parse()?,
                user: server.owner.parse()?,
                device: DeviceId::from_slice(&random::<16>()?)?,
                key: SigningKey::from_seed(&random()?),
                last: None,
                task: Rc::clone(&task),
            };
            let enrol = new.register().await?;
            if let Some(first) = signers.first_mut() {
                first.vouch(new.device, enrol).await?;
            }
            signers.push(new);
        }
        Ok(signers)
    }

    /// Reads the proposal, makes its card, signs an approval and sends it.
    pub(crate) async fn approve(&mut self, id: &str) -> Result<()> {
        self.decide(id, Verdict::Approve, None).await
    }

    /// The same with a rejection.
    pub(crate) async fn reject(&mut self, id: &str) -> Result<()> {
        self.decide(id, Verdict::Reject, Some("Not this quarter.".to_owned()))
            .await
    }

    async fn decide(&mut self, id: &str, verdict: Verdict, comment: Option<String>) -> Result<()> {
        let (status, answer) = self
            .connection
            .get(&format!("/api/assistant/proposals/{id}"))
            .await?;
        ensure!(
            status == 200,
            "get: {status} {}",
            String::from_utf8_lossy(&answer)
        );
        let read: ProposalDetail = serde_json::from_slice(&answer)?;
        let proposal = self.proposal(&read);
        let view = render(&proposal, read.digest, None, &self.task, None)?.digest()?;
        let (device_seq, previous) = self.next();
        self.push(&Decision {
            approver: self.user,
            assurance: Assurance::Device,
            checkpoint: None,
            comment,
            decided_at: now()?,
            device: Some(self.device),
            device_seq: Some(device_seq),
            expires_at: read.expires_at,
            id: DecisionId::from_slice(&random::<16>()?)?,
            nonce: nonce()?,
            offline: false,
            preview: None,
            previous,
            proposal: read.id,
            proposal_digest: read.digest,
            renderer: RENDERER,
            retracts: None,
            tenant: self.tenant,
            verdict,
            view,
        })
        .await
    }

    /// What the card is made of. Nonce, key and connection of a task are not on it.
    fn proposal(&self, read: &ProposalDetail) -> Proposal {
        Proposal {
            args: read.input.clone(),
            connection: None,
            created_at: read.created_at,
            effect: self.task.effect,
            expires_at: read.expires_at,
            id: read.id,
            nonce: Nonce::from_bytes([0; 16]),
            not_before: None,
            proposer: read.proposer.clone(),
            retry_of: None,
            risk: read.risk,
            risk_reasons: read.risk_reasons.clone(),
            supersedes: None,
            tenant: self.tenant,
            tool: ToolRef {
                id: read.tool_id.clone(),
                manifest: self.task.digest(),
                version: self.task.version.clone(),
            },
            untrusted: Untrusted::default(),
        }
    }

    async fn register(&mut self) -> Result<Digest> {
        let (_, answer) = self.connection.post("/api/devices/challenge", "{}").await?;
        let answer: Value = serde_json::from_slice(&answer)?;
        let challenge = answer["challenge"].as_str().context("no challenge")?;
        let enrol = Enrol {
            challenge: challenge.parse().map_err(anyhow::Error::msg)?,
            device: self.device,
            name: "bench".to_owned(),
            nonce: nonce()?,
            public_key: self.key.public_key(),
            tenant: self.tenant,
            user: self.user,
        };
        let record = Record::signed(&enrol, &self.key)?;
        let body = json!({ "record": record.to_envelope() }).to_string();
        let (status, answer) = self.connection.post("/api/devices/enrol", &body).await?;
        ensure!(
            status == 200,
            "enrol: {status} {}",
            String::from_utf8_lossy(&answer)
        );
        Ok(record.digest)
    }

    async fn vouch(&mut self, device: DeviceId, enrol: Digest) -> Result<()> {
        let (device_seq, previous) = self.next();
        self.push(&Endorse {
            at: now()?,
            by: Endorsement::Device(self.device),
            device,
            device_seq: Some(device_seq),
            enrol,
            nonce: nonce()?,
            previous,
            tenant: self.tenant,
        })
        .await
    }

    fn next(&self) -> (u64, Option<Digest>) {
        match self.last {
            Some((seq, digest)) => (seq + 1, Some(digest)),
            None => (1, None),
        }
    }

    async fn push<B: Body>(&mut self, body: &B) -> Result<()> {
        let record = Record::signed(body, &self.key)?;
        let sent = json!({ "records": [record.to_envelope()] }).to_string();
        let (status, answer) = self.connection.post("/api/records", &sent).await?;
        let answer = String::from_utf8_lossy(&answer);
        ensure!(
            status == 200 && answer.contains(r#""effective":true"#),
            "records: {status} {answer}"
        );
        self.last = Some((self.next().0, record.digest));
        Ok(())
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "these devices have a clock of their own"
)]
fn now() -> Result<UnixMillis> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    Ok(UnixMillis(i64::try_from(since.as_millis())?))
}

fn nonce() -> Result<Nonce> {
    Ok(Nonce::from_bytes(random()?))
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    Ok(bytes)
}
