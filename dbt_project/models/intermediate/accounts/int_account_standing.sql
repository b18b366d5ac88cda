with

snapshots as (
    select
        days.lender_id,
        days.as_of_date,
        versions.account_id,
        versions.days_past_due,
        versions._file_id,
        versions._row_number,
        row_number() over (
            partition by days.as_of_date, versions.account_id
            order by
                versions.snapshot_date desc nulls last,
                versions._file_id desc nulls last,
                versions._row_number desc nulls last
        ) as recency
    from {{ ref('int_as_of_dates') }} as days
    inner join {{ ref('int_portfolio_versions') }} as versions
        on {{ in_window('versions.snapshot_date', 'days.as_of_date', var('snapshot_carry_days')) }}
        and {{ known_at('versions', 'days.cutoff_utc') }}
),

ever_npa as (
    select distinct account_id
    from {{ ref('int_portfolio_versions') }}
    where days_past_due >= {{ npa_from_day() }}
),

-- Cured only when all arrears are paid: an NPA that pays some instalments stays NPA. Of the day-ends
-- that decide, an NPA after anything else begins one, and a clear one after an NPA ends it.
npa_events as (
    select
        days.as_of_date,
        versions.account_id,
        versions.snapshot_date,
        versions.days_past_due >= {{ npa_from_day() }} as is_npa,
        lag(versions.days_past_due >= {{ npa_from_day() }}) over (
            partition by days.as_of_date, versions.account_id
            order by versions.snapshot_date asc nulls last
        ) as was_npa
    from {{ ref('int_as_of_dates') }} as days
    inner join {{ ref('int_portfolio_versions') }} as versions
        on versions.snapshot_date <= days.as_of_date
        and {{ known_at('versions', 'days.cutoff_utc') }}
    inner join ever_npa
        on versions.account_id = ever_npa.account_id
    where versions.days_past_due >= {{ npa_from_day() }}
        or (versions.days_past_due = 0 and versions.overdue_amount = 0)
),

npa_history as (
    select
        as_of_date,
        account_id,
        max(case when is_npa and not coalesce(was_npa, false) then snapshot_date end)
            as npa_begun_date,
        max(case when not is_npa and was_npa then snapshot_date end) as npa_cured_date,
        sum(case when is_npa and not coalesce(was_npa, false) then 1 else 0 end) as npa_episodes
    from npa_events
    group by as_of_date, account_id
),

standing as (
    select
        snapshots.lender_id,
        snapshots.as_of_date,
        snapshots.account_id,
        snapshots.days_past_due,
        snapshots._file_id,
        snapshots._row_number,
        {{ delinquency_bucket('snapshots.days_past_due') }} as bucket,
        {{ sma_class(
            'snapshots.days_past_due', is_uncured_npa('npa_history')
        ) }} as sma_class,
        case when {{ is_uncured_npa('npa_history') }} then npa_history.npa_begun_date end
            as npa_since_date,
        npa_history.npa_cured_date,
        coalesce(npa_history.npa_episodes, 0) as npa_episodes
    from snapshots
    left join npa_history
        on snapshots.as_of_date = npa_history.as_of_date
        and snapshots.account_id = npa_history.account_id
    where snapshots.recency = 1
)

select
    standing.lender_id,
    standing.as_of_date,
    standing.account_id,
    portfolio.customer_id,
    portfolio.snapshot_date,
    portfolio.phone_token,
    portfolio.email_token,
    portfolio.national_id_token,
    portfolio.birth_year,
    portfolio.country,
    portfolio.state,
    portfolio.city,
    portfolio.postal_code,
    portfolio.time_zone,
    portfolio.language,
    portfolio.employment_type,
    portfolio.declared_monthly_income,
    portfolio.product,
    portfolio.opened_date,
    portfolio.currency,
    portfolio.principal_amount,
    portfolio.outstanding_amount,
    portfolio.overdue_amount,
    portfolio.emi_amount,
    portfolio.next_due_date,
    portfolio.emis_overdue,
    portfolio.annual_rate,
    portfolio.tenor_months,
    portfolio.account_status,
    portfolio.last_payment_date,
    standing.days_past_due,
    cast(standing.bucket as string) as bucket,
    cast(standing.sma_class as string) as sma_class,
    cast(standing.days_past_due > 0 and portfolio.account_status <> 'closed' as boolean)
        as is_delinquent,
    cast(standing.npa_since_date as date) as npa_since_date,
    cast(standing.npa_cured_date as date) as npa_cured_date,
    cast(standing.npa_episodes as int) as npa_episodes
from standing
inner join {{ ref('stg_portfolio_accounts') }} as portfolio
    on standing._file_id = portfolio._file_id
    and standing._row_number = portfolio._row_number
