package fleet

import (
	"testing"
	"time"
)

func TestStatusOf(t *testing.T) {
	seen := Observation{Exists: true, Status: InstanceRunning, Address: "10.0.0.7", At: time.Unix(1, 0)}
	tests := []struct {
		name   string
		change func(*Tenant, *Observation)
		want   TenantStatus
	}{
		{"runs", func(*Tenant, *Observation) {}, TenantRunning},
		{"is being made", func(t *Tenant, _ *Observation) { t.Ready = false }, TenantCreating},
		{"has no address yet", func(_ *Tenant, o *Observation) { o.Address = "" }, TenantStarting},
		{"fails its check", func(_ *Tenant, o *Observation) { o.Healthy = new(false) }, TenantUnhealthy},
		{"passes its check", func(_ *Tenant, o *Observation) { o.Healthy = new(true) }, TenantRunning},
		{"stopped by us", func(t *Tenant, o *Observation) { t.Desired, o.Status = DesiredStopped, InstanceStopped }, TenantStopped},
		{"stopped by lxc", func(_ *Tenant, o *Observation) { o.Status = InstanceStopped }, TenantStoppedByOperator},
		{"frozen by lxc", func(_ *Tenant, o *Observation) { o.Status = InstanceFrozen }, TenantStoppedByOperator},
		{"deleted by lxc", func(_ *Tenant, o *Observation) { o.Exists = false }, TenantMissing},
		{"in the trash", func(t *Tenant, o *Observation) { t.Desired, o.Status = DesiredRemoved, InstanceStopped }, TenantRemoved},
		{"on an offline member", func(_ *Tenant, o *Observation) { o.Status = InstanceError }, TenantUnknown},
		{"never seen", func(_ *Tenant, o *Observation) { *o = Observation{} }, TenantUnknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tenant, observation := Tenant{Ready: true, Desired: DesiredRunning}, seen
			tt.change(&tenant, &observation)
			if got := StatusOf(tenant, observation); got != tt.want {
				t.Errorf("StatusOf = %s, want %s", got, tt.want)
			}
		})
	}
}
