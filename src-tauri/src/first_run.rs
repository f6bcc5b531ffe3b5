//! *On this computer*: a tenant, its owner, this device's key, one agent's key, and samples where they are wanted.

use anyhow::Context;
use countersign_engine::Phase;

use crate::{
    embedded::{Owner, write_durably},
    error::{CommandError, ErrorCode},
    samples,
    shell::{Shell, say},
    view::setup::{FirstAgent, StartHere},
};

const FIRST_AGENT: &str = "My first agent";
const SAMPLE_AGENT: &str = "Sample agent";
/// The command line with an agent's key, where nobody sees the page that shows one. `sh` runs it.
const LINE: &str = "connect-an-agent.sh";
/// An agent's name is taken as long as it is in service.
const MANY: u32 = 100;

impl Shell {
    /// Sets everything up. The agent's key is shown once, with a command line that works as it stands.
    pub(crate) async fn start_here(&self, form: StartHere) -> Result<FirstAgent, CommandError> {
        let owner = Owner {
            name: form.name,
            email: form.email.filter(|email| !email.trim().is_empty()),
        };
        self.set_up_here(owner).await?;
        let agent = self.free_agent(FIRST_AGENT).await?;
        // The agent's key is shown this once, whatever becomes of the samples: the empty inbox offers them again.
        if form.samples
            && let Err(error) = self.load_samples().await
        {
            tracing::warn!("The first run goes on without samples: {}", error.message);
        }
        Ok(agent)
    }

    /// The same without a question, for a machine without a screen: the line that connects an agent goes into a file, for
    /// its owner only. What was set up before stays as it is.
    pub(crate) async fn start_here_unasked(&self) -> Result<(), CommandError> {
        let is_first = self.engine()?.phase() == Phase::FirstRun;
        if is_first {
            let name = std::env::var("USER").ok().filter(|name| !name.trim().is_empty());
            let name = name.unwrap_or_else(|| "Owner".to_owned());
            self.set_up_here(Owner { name, email: None }).await?;
        }
        if !self.is_here() {
            return Ok(());
        }
        let line = self.data().join(LINE);
        if !line.is_file() {
            let agent = self.free_agent(FIRST_AGENT).await?;
            write_durably(&line, format!("{}\n", agent.curl).as_bytes())
                .with_context(|| format!("{} cannot be written", line.display()))?;
        }
        if is_first {
            self.load_samples().await?;
        }
        say(format_args!(
            "A line that proposes, with an agent's key, is in {}",
            line.display()
        ));
        Ok(())
    }

    /// Proposes the samples with an agent's own key, over HTTP.
    pub(crate) async fn load_samples(&self) -> Result<(), CommandError> {
        if !self.is_here() {
            return Err(CommandError::refused(
                "Samples are only for a tenant on this computer.",
            ));
        }
        let tenant = self.tenant()?;
        let agent = self.free_agent(SAMPLE_AGENT).await?;
        samples::send(&agent.propose_url, tenant, &agent.api_key)
            .await
            .map_err(|error| {
                tracing::error!("The samples were not taken: {error:#}");
                CommandError {
                    code: ErrorCode::Internal,
                    message: "The samples could not be proposed. The log has the details.".to_owned(),
                    field: None,
                }
            })?;
        self.engine()?.refresh();
        Ok(())
    }

    /// Registers an agent of the tenant, or one that acts for this person.
    pub(crate) async fn create_agent(
        &self,
        name: String,
        personal: bool,
    ) -> Result<FirstAgent, CommandError> {
        let (created, address) = self.engine()?.create_agent(name.clone(), personal).await?;
        Ok(FirstAgent::new(name, created.api_key, &address, self.tenant()?))
    }

    /// An agent under `name`, or the first free name after it.
    async fn free_agent(&self, name: &str) -> Result<FirstAgent, CommandError> {
        let mut number = 1;
        loop {
            let tried = if number == 1 {
                name.to_owned()
            } else {
                format!("{name} {number}")
            };
            match self.create_agent(tried, false).await {
                Err(error) if error.field.as_deref() == Some("name") && number < MANY => number += 1,
                other => return other,
            }
        }
    }
}
