-- Consents that were valid at the cut-off: ACTIVE as last heard, never revoked or expired by any
-- message known until then (those two are final, whatever arrives later), and inside their dates.
with

last_heard as (
    select
        days.as_of_date,
        days.cutoff_utc,
        consents.*,
        row_number() over (
            partition by days.as_of_date, consents.consent_id
            order by
                consents.created_at_utc desc nulls last,
                consents._known_at desc nulls last,
                consents._file_id desc nulls last,
                consents._row_number desc nulls last
        ) as recency,
        max(case when consents.status in ('REVOKED', 'EXPIRED') then 1 else 0 end) over (
            partition by days.as_of_date, consents.consent_id
        ) as is_ended
    from {{ ref('int_as_of_dates') }} as days
    inner join {{ ref('stg_aa_consents') }} as consents
        on consents._known_at <= days.cutoff_utc
)

select
    as_of_date,
    consent_id,
    customer_id,
    purpose_code,
    cast(consent_types like '%TRANSACTIONS%' as boolean) as has_transactions,
    cast(purpose_code in ({{ "'" ~ aa_feature_purposes() | join("', '") ~ "'" }}) as boolean)
        as is_for_features
from last_heard
where recency = 1
    and is_ended = 0
    and status = 'ACTIVE'
    and consent_start_utc <= cutoff_utc
    and consent_expiry_utc > cutoff_utc
