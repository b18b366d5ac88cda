with

days as (
    select as_of_date, cutoff_utc from {{ ref('int_as_of_dates') }}
),

-- Files are named in the order in which they were written; one that came twice counts once.
files as (
    select file_id, min(uri) as uri
    from {{ ref('stg_ingested_files') }}
    where feed = 'portfolio_changes'
    group by file_id
),

changes as (
    select
        delivered.*,
        {{ lender_day('delivered.committed_at_utc') }} as committed_date,
        files.uri
    from {{ ref('stg_portfolio_changes') }} as delivered
    left join files on delivered._file_id = files.file_id
),

ranked as (
    select
        days.as_of_date,
        changes.*,
        row_number() over (
            partition by days.as_of_date, changes.account_id
            order by
                changes.committed_at_utc desc nulls last,
                changes._known_at desc nulls last,
                changes.uri desc nulls last,
                changes._file_id desc nulls last,
                changes.change_number desc nulls last
        ) as recency
    from days
    inner join changes
        on changes._known_at <= days.cutoff_utc and changes.committed_date <= days.as_of_date
)

select
    as_of_date,
    committed_at_utc,
    account_id,
    customer_id,
    full_name_token,
    phone_token,
    email_token,
    national_id_token,
    birth_year,
    country,
    state,
    city,
    postal_code,
    time_zone,
    language,
    employment_type,
    declared_monthly_income,
    product,
    opened_date,
    currency,
    principal_amount,
    outstanding_amount,
    overdue_amount,
    emi_amount,
    next_due_date,
    oldest_unpaid_due_date,
    emis_overdue,
    days_past_due,
    annual_rate,
    tenor_months,
    account_status,
    last_payment_date,
    last_payment_amount,
    _known_at
from ranked
where recency = 1 and op <> 'D'
