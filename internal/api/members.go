package api

import "context"

// ListMembers lists the cluster's members.
func (s *Server) ListMembers(ctx context.Context, _ ListMembersRequestObject) (ListMembersResponseObject, error) {
	members, err := s.Members(ctx)
	if err != nil {
		return nil, err
	}
	list := MemberList{Items: make([]Member, len(members))}
	for i, m := range members {
		list.Items[i] = Member{
			Name: m.Name, Online: m.Online, Message: m.Message, Address: m.Address,
			PoolTotal: int64(m.PoolTotal), PoolUsed: int64(m.PoolUsed),
			MemoryTotal: int64(m.MemoryTotal), MemoryUsed: int64(m.MemoryUsed), Cpus: m.CPUs,
		}
	}
	return ListMembers200JSONResponse(list), nil
}
