select
    cast(standing.lender_id as string) as lender_id,
    cast(standing.account_id as string) as account_id,
    cast(standing.as_of_date as date) as as_of_date,
    cast(standing.customer_id as string) as customer_id,
    cast(standing.product as string) as product,
    cast(standing.currency as string) as currency,
    {{ money('standing.outstanding_amount') }} as outstanding_amount,
    {{ money('standing.overdue_amount') }} as overdue_amount,
    {{ money('standing.emi_amount') }} as emi_amount,
    {{ money('standing.principal_amount') }} as principal_amount,
    cast(standing.annual_rate as double) as annual_rate,
    cast(standing.tenor_months as int) as tenor_months,
    cast({{ full_months_between('standing.opened_date', 'standing.as_of_date') }} as int)
        as months_on_book,
    cast(standing.emis_overdue as int) as emis_overdue,
    cast(standing.days_past_due as int) as days_past_due,
    cast(standing.bucket as string) as bucket,
    cast(standing.sma_class as string) as sma_class,
    cast(standing.is_delinquent as boolean) as is_delinquent,
    cast(standing.account_status as string) as account_status,
    cast(standing.next_due_date as date) as next_due_date,
    cast({{ days_between('standing.as_of_date', 'standing.next_due_date') }} as int)
        as days_to_next_due,
    {%- for length in [30, 90, 180] %}
    cast(coalesce(payments.payments_{{ length }}d, 0) as int) as payments_{{ length }}d,
    {%- endfor %}
    {%- for length in [30, 90, 180] %}
    {{ money('coalesce(payments.paid_amount_' ~ length ~ 'd, 0)') }} as paid_amount_{{ length }}d,
    {%- endfor %}
    cast(coalesce(payments.bounces_90d, 0) as int) as bounces_90d,
    -- Payments before the first delivered file are known from the snapshot alone.
    cast(
        {{ days_between(
            'coalesce(payments.last_payment_date, standing.last_payment_date)', 'standing.as_of_date'
        ) }} as int
    ) as days_since_last_payment,
    cast(arrears.max_dpd_30d as int) as max_dpd_30d,
    cast(arrears.max_dpd_90d as int) as max_dpd_90d,
    cast(arrears.max_dpd_180d as int) as max_dpd_180d,
    cast(coalesce(arrears.days_delinquent_90d, 0) as int) as days_delinquent_90d,
    cast(instalments.on_time_share_180d as double) as on_time_share_180d,
    {%- for channel in channels() %}
    cast(coalesce(contacts.contacts_{{ channel }}_30d, 0) as int) as contacts_{{ channel }}_30d,
    {%- endfor %}
    cast(coalesce(contacts.right_party_contacts_90d, 0) as int) as right_party_contacts_90d,
    cast({{ days_between('contacts.last_right_party_date', 'standing.as_of_date') }} as int)
        as days_since_right_party_contact,
    cast(coalesce(promises.promises_180d, 0) as int) as promises_180d,
    cast(coalesce(promises.promises_kept_180d, 0) as int) as promises_kept_180d,
    cast(coalesce(promises.promises_broken_180d, 0) as int) as promises_broken_180d
from {{ ref('int_account_standing') }} as standing
left join {{ ref('int_account_payments') }} as payments
    on standing.as_of_date = payments.as_of_date
    and standing.account_id = payments.account_id
left join {{ ref('int_account_arrears') }} as arrears
    on standing.as_of_date = arrears.as_of_date
    and standing.account_id = arrears.account_id
left join {{ ref('int_account_instalments') }} as instalments
    on standing.as_of_date = instalments.as_of_date
    and standing.account_id = instalments.account_id
left join {{ ref('int_account_contacts') }} as contacts
    on standing.as_of_date = contacts.as_of_date
    and standing.account_id = contacts.account_id
left join {{ ref('int_account_promises') }} as promises
    on standing.as_of_date = promises.as_of_date
    and standing.account_id = promises.account_id
