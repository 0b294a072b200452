//! Leases in the database, by its own clock. Every method is one statement, so it is done or not.

use std::time::Duration;

use async_trait::async_trait;
use deadpool_postgres::Object;
use mynah_domain::ports::{
    Leases, LedgerError,
    leases::{Fence, Instance, InstanceId, Lease, LeaseName, Survey},
};

use super::{
    PostgresLedger,
    errors::{Error, Result},
    rows::{get, storable, to_timestamp},
};

/// Nobody's lease that has run out is anybody's: the fence grows with every acquisition, also with one by its holder.
const ACQUIRE: &str = "
    INSERT INTO leases AS held (name, owner, fence, until)
    VALUES ($1, $2, 1, clock_timestamp() + $3 * interval '1 millisecond')
    ON CONFLICT (name) DO UPDATE
    SET owner = excluded.owner, fence = held.fence + 1,
        until = clock_timestamp() + $3 * interval '1 millisecond'
    WHERE held.owner = excluded.owner OR held.until <= clock_timestamp()
    RETURNING fence";

/// Returns those that are still held. They are locked in the order of their names, as everywhere.
const RENEW: &str = "
    WITH mine AS (
        SELECT leases.name FROM leases JOIN UNNEST($1::text[], $2::bigint[]) AS held (name, fence)
          ON leases.name = held.name AND leases.fence = held.fence
        WHERE leases.owner = $3 ORDER BY leases.name FOR UPDATE OF leases
    )
    UPDATE leases SET until = clock_timestamp() + $4 * interval '1 millisecond'
    FROM mine WHERE leases.name = mine.name RETURNING leases.name";

/// The row stays, because the fence must grow. It is nobody's, so a renewal that was under way finds it lost.
const RELEASE: &str = "
    WITH mine AS (
        SELECT leases.name FROM leases JOIN UNNEST($1::text[], $2::bigint[]) AS held (name, fence)
          ON leases.name = held.name AND leases.fence = held.fence
        WHERE leases.owner = $3 ORDER BY leases.name FOR UPDATE OF leases
    )
    UPDATE leases SET owner = '', until = to_timestamp(0) FROM mine WHERE leases.name = mine.name";

const REPORT: &str = "
    INSERT INTO instances (id, host, admin, version, started, until)
    VALUES ($1, $2, $3, $4, $5, clock_timestamp() + $6 * interval '1 millisecond')
    ON CONFLICT (id) DO UPDATE SET host = excluded.host, admin = excluded.admin, version = excluded.version,
                                   started = excluded.started, until = excluded.until";

/// Instances that ended without leaving are forgotten after a day.
const FORGET: &str = "DELETE FROM instances WHERE id = $1 OR until < clock_timestamp() - interval '1 day'";

fn millis(ttl: Duration) -> f64 {
    ttl.as_secs_f64() * 1000.0
}

fn columns(leases: &[Lease]) -> (Vec<String>, Vec<i64>) {
    leases.iter().map(|lease| (storable(&lease.name.to_string()).into_owned(), lease.fence.0)).unzip()
}

async fn acquire(
    db: &Object,
    name: &LeaseName,
    instance: &InstanceId,
    ttl: Duration,
) -> Result<Option<Fence>> {
    let statement = db.prepare_cached(ACQUIRE).await?;
    let name = name.to_string();
    let row =
        db.query_opt(&statement, &[&storable(&name), &storable(instance.as_str()), &millis(ttl)]).await?;
    row.map(|row| get(&row, 0).map(Fence)).transpose()
}

async fn renew(
    db: &Object,
    leases: &[Lease],
    instance: &InstanceId,
    ttl: Duration,
) -> Result<Vec<LeaseName>> {
    let statement = db.prepare_cached(RENEW).await?;
    let (names, fences) = columns(leases);
    let rows = db.query(&statement, &[&names, &fences, &storable(instance.as_str()), &millis(ttl)]).await?;
    let held: Vec<String> = rows.iter().map(|row| get(row, 0)).collect::<Result<_>>()?;
    let lost = leases.iter().zip(names).filter(|(_, name)| !held.contains(name));
    Ok(lost.map(|(lease, _)| lease.name.clone()).collect())
}

async fn release(db: &Object, leases: &[Lease], instance: &InstanceId) -> Result<()> {
    let statement = db.prepare_cached(RELEASE).await?;
    let (names, fences) = columns(leases);
    db.execute(&statement, &[&names, &fences, &storable(instance.as_str())]).await?;
    Ok(())
}

async fn report(db: &Object, instance: &Instance, ttl: Duration) -> Result<()> {
    let statement = db.prepare_cached(REPORT).await?;
    let Instance { id, host, admin, version, started } = instance;
    let (admin, started) = (admin.as_deref().map(storable), started.as_millisecond());
    db.execute(
        &statement,
        &[&storable(id.as_str()), &storable(host), &admin, &storable(version), &started, &millis(ttl)],
    )
    .await?;
    Ok(())
}

async fn survey(db: &Object) -> Result<Survey> {
    let instances = db
        .query(
            "SELECT id, host, admin, version, started FROM instances WHERE until > clock_timestamp() ORDER BY id",
            &[],
        )
        .await?;
    let leases = db
        .query("SELECT name, owner, fence FROM leases WHERE until > clock_timestamp() ORDER BY name", &[])
        .await?;
    let instances = instances.iter().map(|row| {
        Ok(Instance {
            id: InstanceId::from(get::<&str>(row, 0)?),
            host: get(row, 1)?,
            admin: get(row, 2)?,
            version: get(row, 3)?,
            started: to_timestamp(get(row, 4)?),
        })
    });
    let mut held = Vec::with_capacity(leases.len());
    for row in &leases {
        let name: &str = get(row, 0)?;
        let name = LeaseName::parse(name)
            .ok_or_else(|| Error::Unreadable(format!("a lease has an unknown name: {name}")))?;
        held.push((name, InstanceId::from(get::<&str>(row, 1)?), Fence(get(row, 2)?)));
    }
    held.sort();
    Ok(Survey { instances: instances.collect::<Result<_>>()?, leases: held })
}

async fn leave(db: &Object, instance: &InstanceId) -> Result<()> {
    let statement = db.prepare_cached(FORGET).await?;
    db.execute(&statement, &[&storable(instance.as_str())]).await?;
    Ok(())
}

#[async_trait(?Send)]
impl Leases for PostgresLedger {
    async fn acquire(
        &self,
        name: &LeaseName,
        instance: &InstanceId,
        ttl: Duration,
    ) -> std::result::Result<Option<Fence>, LedgerError> {
        let (name, instance) = (name.clone(), instance.clone());
        self.call(async move |db| acquire(db, &name, &instance, ttl).await).await
    }

    async fn renew(
        &self,
        leases: &[Lease],
        instance: &InstanceId,
        ttl: Duration,
    ) -> std::result::Result<Vec<LeaseName>, LedgerError> {
        let (leases, instance) = (leases.to_vec(), instance.clone());
        self.call(async move |db| renew(db, &leases, &instance, ttl).await).await
    }

    async fn release(&self, leases: &[Lease], instance: &InstanceId) -> std::result::Result<(), LedgerError> {
        let (leases, instance) = (leases.to_vec(), instance.clone());
        self.call(async move |db| release(db, &leases, &instance).await).await
    }

    async fn report(&self, instance: &Instance, ttl: Duration) -> std::result::Result<(), LedgerError> {
        let instance = instance.clone();
        self.call(async move |db| report(db, &instance, ttl).await).await
    }

    async fn survey(&self) -> std::result::Result<Survey, LedgerError> {
        self.call(async move |db| survey(db).await).await
    }

    async fn leave(&self, instance: &InstanceId) -> std::result::Result<(), LedgerError> {
        let instance = instance.clone();
        self.call(async move |db| leave(db, &instance).await).await
    }
}
