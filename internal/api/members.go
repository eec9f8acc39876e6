package api

import (
	"context"

	"github.com/lxdfleet/lxdfleet/internal/placement"
	"github.com/lxdfleet/lxdfleet/internal/tenants"
)

// ListMembers lists the cluster's members.
func (s *Server) ListMembers(ctx context.Context, _ ListMembersRequestObject) (ListMembersResponseObject, error) {
	members, err := s.Placement.Members(ctx)
	if err != nil {
		return nil, err
	}
	list := MemberList{Items: make([]Member, len(members))}
	for i, m := range members {
		list.Items[i] = memberOut(m)
	}
	return ListMembers200JSONResponse(list), nil
}

// GetMember gives one member.
func (s *Server) GetMember(ctx context.Context, r GetMemberRequestObject) (GetMemberResponseObject, error) {
	m, err := s.Placement.Member(ctx, r.Name)
	if err != nil {
		return nil, err
	}
	return GetMember200JSONResponse(memberOut(m)), nil
}

// EditMember cordons a member, or labels it.
func (s *Server) EditMember(ctx context.Context, r EditMemberRequestObject) (EditMemberResponseObject, error) {
	m, err := s.Placement.EditMember(ctx, r.Name, tenants.MemberEdit{
		Cordoned: r.Body.Cordoned, Reason: r.Body.Reason, Labels: r.Body.Labels,
	})
	if err != nil {
		return nil, err
	}
	return EditMember200JSONResponse(memberOut(m)), nil
}

func memberOut(m tenants.MemberView) Member {
	out := Member{
		Name: m.Name, Online: m.Online, Status: string(m.Status), Message: m.Message, Address: m.Address,
		PoolTotal: int64(m.PoolTotal), PoolUsed: int64(m.PoolUsed),
		MemoryTotal: int64(m.MemoryTotal), MemoryUsed: int64(m.MemoryUsed), Cpus: m.CPUs, Load: m.Load,
		Groups: m.Groups, FailureDomain: m.FailureDomain, Roles: m.Roles,
		Cordoned: m.Record.Cordoned, Reason: m.Record.Reason, Labels: m.Record.Labels,
		Tenants: m.Tenants, Level: levelOut(m.Level),
		Reserved: Needs{Cpu: float64(m.Reserved.CPU) / 1000, Memory: int64(m.Reserved.Memory), Disk: int64(m.Reserved.Disk)},
	}
	if out.Labels == nil {
		out.Labels = Labels{}
	}
	return out
}

func levelOut(l placement.Level) Level {
	return Level{Tenants: l.Tenants, Cpu: l.CPU, Memory: l.Memory, Disk: l.Disk, Pool: l.Pool, MemoryUsed: l.MemoryUsed}
}
