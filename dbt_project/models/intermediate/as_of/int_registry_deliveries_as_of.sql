with

newest as (
    select
        days.as_of_date,
        files.feed,
        max(files.business_date) as delivered_date
    from {{ ref('int_as_of_dates') }} as days
    inner join {{ ref('stg_ingested_files') }} as files
        on files.business_date <= days.as_of_date and files.known_at <= days.cutoff_utc
    where
        files.status in ('ingested', 'duplicate')
        and files.feed in (
            'blacklist', 'contact_permissions', 'dnd_registry', 'fraud_reports',
            'reassigned_numbers', 'scrub_results', 'us_dnc_changes', 'us_dnc_list'
        )
    group by days.as_of_date, files.feed
)

select
    as_of_date,
    feed,
    delivered_date,
    cast({{ days_between('delivered_date', 'as_of_date') }} as int) as age_days
from newest
