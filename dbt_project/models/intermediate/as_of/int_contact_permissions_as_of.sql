with

statements as (
    select *
    from {{ versions_as_of(ref('stg_contact_permissions'), ['permission_id']) }} as versions
    where {{ lender_day('versions.effective_at_utc') }} <= versions.as_of_date
),

ranked as (
    select
        statements.*,
        row_number() over (
            partition by
                statements.as_of_date,
                statements.customer_id,
                statements.channel,
                statements.purpose
            order by
                statements.effective_at_utc desc nulls last,
                -- Two statements of one instant: the withdrawal counts.
                statements.status desc nulls last,
                statements.permission_id desc nulls last
        ) as recency
    from statements
)

select
    as_of_date,
    customer_id,
    channel,
    purpose,
    status,
    effective_at_utc,
    permission_id
from ranked
where recency = 1
