//! A stable way to an actor that may be replaced. An `Addr` leads to one incarnation and is dead with it; a link is
//! pointed at the next one by the supervisor, and everybody who holds it goes on.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use actix::{Actor, Addr, Handler, Message, dev::ToEnvelope};

/// How long to wait before asking again somebody who is being replaced.
const PATIENCE: Duration = Duration::from_millis(20);

/// A way to whichever incarnation of `A` lives. Clones lead to the same.
pub struct Link<A: Actor>(Arc<RwLock<Option<Addr<A>>>>);

/// Nobody was there, or the one who was died before it answered. Whether it acted is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the actor is being restarted")]
pub struct Gone;

impl<A: Actor> Link<A> {
    /// A link that leads nowhere yet.
    pub fn new() -> Self {
        Self(Arc::new(RwLock::new(None)))
    }

    /// Points the link at another incarnation.
    pub(crate) fn point_at(&self, addr: Addr<A>) {
        // The lock guards one pointer, which no panic can leave half written.
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(addr);
    }

    /// Where the link leads now.
    pub fn addr(&self) -> Option<Addr<A>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks, and waits for the answer.
    pub async fn ask<M>(&self, message: M) -> Result<M::Result, Gone>
    where
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        self.addr().ok_or(Gone)?.send(message).await.map_err(|_| Gone)
    }

    /// Asks until somebody answers. For messages that may safely arrive twice.
    pub async fn ask_until_answered<M>(&self, message: M) -> M::Result
    where
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
        M: Message + Clone + Send + 'static,
        M::Result: Send,
    {
        loop {
            match self.ask(message.clone()).await {
                Ok(answer) => return answer,
                Err(Gone) => actix_rt::time::sleep(PATIENCE).await,
            }
        }
    }

    /// Tells something that may be lost: a full mailbox or a dead actor swallows it.
    pub fn tell<M>(&self, message: M)
    where
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        if let Some(addr) = self.addr() {
            // What is told may be lost.
            let _ = addr.try_send(message);
        }
    }
}

impl<A: Actor> Link<A> {
    /// Tells something that only the death of the actor may lose, because it concerns nothing but the actor's own
    /// memory. Never full: so only for what each asker tells at most once.
    pub fn tell_unbounded<M>(&self, message: M)
    where
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        if let Some(addr) = self.addr() {
            #[expect(
                clippy::disallowed_methods,
                reason = "what it tells dies with the actor that it tells it to"
            )]
            addr.do_send(message);
        }
    }
}

impl<A: Actor> Clone for Link<A> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<A: Actor> Default for Link<A> {
    fn default() -> Self {
        Self::new()
    }
}
