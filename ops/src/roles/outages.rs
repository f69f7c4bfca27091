//! What a role does where a server is away: it says so once an outage, waits, and opens what it works with anew.

use ingest::Backoff;
use ingest::nats::{Connection, NatsError};
use tokio::sync::watch;

use super::board::{Board, Standing};
use super::{Role, Shared, backoff};
use crate::connect;
use crate::exit::Failure;

/// Why a role's work ended that nobody told to stop.
pub(super) enum End {
    /// A server is away: open again.
    Waiting(Failure),
    /// Somebody must mend it.
    Failed(Failure),
}

impl End {
    /// An error, and whether it is over by itself.
    pub(super) fn of(failure: Failure, passes: bool) -> Self {
        if passes {
            Self::Waiting(failure)
        } else {
            Self::Failed(failure)
        }
    }
}

impl From<NatsError> for End {
    fn from(error: NatsError) -> Self {
        let away = error.is_unavailable();
        Self::of(error.into(), away)
    }
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// The outages of a role, one after the other.
#[derive(Debug)]
pub(super) struct Outages {
    role: Role,
    backoff: Backoff,
    said: bool,
}

impl Outages {
    pub(super) fn of(role: Role) -> Self {
        Self {
            role,
            backoff: backoff(),
            said: false,
        }
    }

    /// Works until it is told to stop or somebody must mend something: `once` opens what it works with and works until a
    /// server is away.
    pub(super) async fn work<F>(
        mut self,
        shared: &Shared,
        mut stop: watch::Receiver<bool>,
        once: F,
    ) -> Result<(), Failure>
    where
        F: AsyncFn(&Shared, &mut watch::Receiver<bool>) -> Result<(), End>,
    {
        loop {
            match once(shared, &mut stop).await {
                Ok(()) => return Ok(()),
                Err(End::Failed(failure)) => return Err(failure),
                Err(End::Waiting(failure)) => {
                    if !self.wait(&shared.board, &failure, &mut stop).await {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Says why it waits, and waits. False where it was told to stop.
    pub(super) async fn wait(
        &mut self,
        board: &Board,
        failure: &Failure,
        stop: &mut watch::Receiver<bool>,
    ) -> bool {
        let (name, why) = (self.role.as_str(), failure.render());
        if self.is_new(board) {
            tracing::warn!(role = name, "{name} is waiting: {why}");
        }
        board.set(self.role, Standing::Waiting, &why);
        self.backoff.wait(stop).await;
        !*stop.borrow()
    }

    /// Whether this is not the outage that was spoken of last: the role was at work since.
    fn is_new(&mut self, board: &Board) -> bool {
        if board.standing(self.role) == Some(Standing::Running) {
            self.backoff.reset();
            self.said = false;
        }
        !std::mem::replace(&mut self.said, true)
    }

    /// A connection to NATS, as soon as there is one; `None` where it was told to stop before that.
    pub(super) async fn connection(
        &mut self,
        shared: &Shared,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<Option<Connection>, Failure> {
        while !*stop.borrow() {
            let nats = connect::nats(&shared.config)?;
            match nats.connect(self.role.as_str()).await {
                Ok(connection) => return Ok(Some(connection)),
                Err(error) if error.is_unavailable() => {
                    self.wait(&shared.board, &error.into(), stop).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every outage is told of, once, and its first pause is the shortest again.
    #[tokio::test]
    async fn an_outage_after_work_is_a_new_one() {
        let (board, mut outages) = (Board::default(), Outages::of(Role::Seal));
        assert!(outages.is_new(&board));
        board.set(Role::Seal, Standing::Waiting, "away");
        for _ in 0..10 {
            assert!(!outages.is_new(&board));
            outages.backoff.next_pause();
        }
        board.set(Role::Seal, Standing::Running, "running");
        assert!(outages.is_new(&board));
        assert!(outages.backoff.next_pause() <= outages.backoff.first);

        let (tell, mut stop) = watch::channel(false);
        let away = Failure::new("PostgreSQL is away");
        assert!(outages.wait(&board, &away, &mut stop).await);
        assert_eq!(board.standing(Role::Seal), Some(Standing::Waiting));
        tell.send_replace(true);
        assert!(!outages.wait(&board, &away, &mut stop).await);
    }
}
